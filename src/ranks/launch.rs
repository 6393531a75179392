//! The launcher, as its environment variables tell of it.

/// The processes that a launcher started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The launcher in words.
    pub name: &'static str,
    /// Number of processes.
    pub size: usize,
    /// Number of this process, if the launcher tells.
    pub rank: Option<usize>,
}

/// Launchers with the variables that hold the number of processes and that of a process. Inside a job of Slurm, `mpirun` sets
/// its own as well, so Slurm's come last.
const KNOWN: [(&str, &str, &str); 4] = [
    ("mpirun of Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("mpiexec", "PMI_SIZE", "PMI_RANK"),
    ("aprun or mpiexec of PALS", "PALS_SIZE", "PALS_RANKID"),
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
];

const STANDARD: [&str; 2] = ["libmpi_abi.so.1", "libmpi_abi.so.0"];
const MPICH: [&str; 2] = ["libmpi.so.12", "libmpich.so.12"];
const OPEN_MPI: &str = "libmpi.so.40";

impl Launch {
    /// The launcher of this process, if there is one; `variable` gives the value of an environment variable.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Launch> {
        let number = |name: &str| variable(name)?.parse().ok();
        KNOWN.iter().find_map(|(name, size, rank)| Some(Launch { name, size: number(size)?, rank: number(rank) }))
    }

    /// The reason why a library of that version does not belong to the launcher, if it is known before the library starts:
    /// MPICH ends the process where Open MPI has started it.
    pub fn contradicts(&self, version: &str) -> Option<String> {
        let other = self.name == KNOWN[0].0 && !version.contains("Open MPI");
        other.then(|| format!("it is not of Open MPI, whose mpirun started this process, but {version}"))
    }

    /// Names of libraries, those that fit the launcher best first.
    pub fn libraries(&self) -> Vec<&'static str> {
        match self.name {
            name if name == KNOWN[0].0 => [&[OPEN_MPI][..], &STANDARD, &MPICH, &["libmpi.so"]].concat(),
            _ => [&STANDARD[..], &MPICH, &[OPEN_MPI, "libmpi.so"]].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<Launch> {
        Launch::find(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn launchers_are_known_by_their_variables_and_mpirun_goes_before_slurm() {
        assert_eq!(found(&[("HOME", "/root"), ("SLURM_PROCID", "0")]), None);
        let slurm = [("SLURM_STEP_NUM_TASKS", "8"), ("SLURM_PROCID", "3")];
        assert_eq!(found(&slurm), Some(Launch { name: "srun", size: 8, rank: Some(3) }));
        let within = [slurm[0], slurm[1], ("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "1")];
        let launch = found(&within).unwrap();
        assert_eq!((launch.size, launch.rank, launch.libraries()[0]), (2, Some(1), "libmpi.so.40"));
        assert!(
            launch.contradicts("MPICH Version: 5.0.2").is_some() && launch.contradicts("Open MPI v5.0.11").is_none()
        );
        assert_eq!(found(&[("PMI_SIZE", "4"), ("PMI_RANK", "0")]).unwrap().libraries()[0], "libmpi_abi.so.1");
    }
}
