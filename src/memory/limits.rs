//! Limits that the system sets: free memory, control groups, limits on the address space.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Memory that this process can still get (B): the smallest of the machine's free memory, the rest of its control
/// groups and the rest of `ulimit`. `None` if the system does not report it.
pub fn available() -> Option<u64> {
    let limits = [machine(), control_groups(Path::new("/sys/fs/cgroup")), address_space()];
    // freed memory stays with the allocator, which reuses it
    limits.into_iter().flatten().min().map(|bytes| bytes.saturating_add(freed()))
}

fn machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The least memory that a control group of this process, or one above it, leaves (B).
fn control_groups(root: &Path) -> Option<u64> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least = None;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (base, names) = match controllers {
            "" => (root.to_owned(), ["memory.max", "memory.current"]),
            list if list.split(',').any(|name| name == "memory") => {
                (root.join("memory"), ["memory.limit_in_bytes", "memory.usage_in_bytes"])
            }
            _ => continue,
        };
        for group in upwards(&base, path.trim_start_matches('/')) {
            least = least.into_iter().chain(left(&group, names)).min();
        }
    }
    least
}

/// The folder `path` in `base` and those above it; in a container the path may be missing, but the base exists.
fn upwards(base: &Path, path: &str) -> Vec<PathBuf> {
    let whole = base.join(path);
    whole.ancestors().take_while(|folder| folder.starts_with(base)).map(Path::to_owned).collect()
}

/// Memory that the group in `folder` leaves (B), if it has a limit. Cached files count as free, as they do in
/// `MemAvailable`.
fn left(folder: &Path, [limit, usage]: [&str; 2]) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let limit = number(limit)?;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = ["total_inactive_file ", "inactive_file "].into_iter().find_map(|key| {
        stat.lines().find_map(|line| line.strip_prefix(key)).and_then(|value| value.trim().parse::<u64>().ok())
    });
    Some(limit.saturating_sub(number(usage)?.saturating_sub(cached.unwrap_or(0))))
}

/// Memory that `ulimit -v` and `ulimit -d` leave (B).
#[cfg(target_os = "linux")]
fn address_space() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let used = |key: &str| -> Option<u64> {
        let value = status.lines().find_map(|line| line.strip_prefix(key))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let limit = |resource| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a plain system call on a valid struct.
        let done = unsafe { libc::getrlimit(resource, &mut limit) } == 0;
        (done && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
    };
    let left = [
        limit(libc::RLIMIT_AS).zip(used("VmSize:")).map(|(limit, used)| limit.saturating_sub(used)),
        limit(libc::RLIMIT_DATA).zip(used("VmData:")).map(|(limit, used)| limit.saturating_sub(used)),
    ];
    left.into_iter().flatten().min()
}

#[cfg(not(target_os = "linux"))]
fn address_space() -> Option<u64> {
    None
}

/// Freed memory that the allocator has kept (B).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn freed() -> u64 {
    // SAFETY: it only reads the allocator's own counts.
    unsafe { libc::mallinfo2() }.fordblks as u64
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn freed() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_leaves_its_limit_without_what_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let names = ["memory.max", "memory.current"];
        assert_eq!(left(folder.path(), names), None);
        file("memory.max", "max\n");
        file("memory.current", "300\n");
        assert_eq!(left(folder.path(), names), None);
        file("memory.max", "1000\n");
        assert_eq!(left(folder.path(), names), Some(700));
        file("memory.stat", "anon 5\ninactive_file 100\n");
        assert_eq!(left(folder.path(), names), Some(800));
        file("memory.current", "2000\n");
        assert_eq!(left(folder.path(), names), Some(0));
    }

    #[test]
    fn groups_are_looked_at_up_to_the_root() {
        let groups = upwards(Path::new("/sys/fs/cgroup"), "a/b");
        assert_eq!(groups, ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"].map(PathBuf::from));
        assert_eq!(upwards(Path::new("/x"), ""), [PathBuf::from("/x/")].map(|p| p));
    }
}
