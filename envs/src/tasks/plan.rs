//! Plans: the checked laws and drifts of each channel, from the tables of a task file.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    physics::spec::EnvSpec,
    tasks::{
        channel::{Channel, Entry, channel_at, channels, check_value},
        config::{DriftConfig, Mode, Overrides, TaskConfig},
        copula::Copula,
        drift::{Apply, Drift},
        error::{TaskError, check_finite, invalid},
        law::Law,
        noise::Noise,
        number::Number,
        task::Split,
    },
};

/// The laws of a task; the plans of a distribution are equally likely.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub vary: Vec<Entry<Law>>,
    pub drift: Vec<Entry<DriftConfig>>,
    pub copulas: Vec<Copula>,
}

/// Largest number of plans, more than anyone writes; each is checked when a distribution is made.
const MAX_PLANS: usize = 10_000;

/// The plans of a split.
pub(crate) fn plans(spec: &EnvSpec, config: &TaskConfig, split: Split) -> Result<Vec<Plan>, TaskError> {
    let TaskConfig { base, vary, drift, actuator, sensor, .. } = config;
    let train = Layer::of("task", Tables { base, vary, drift, actuator, sensor })?;
    check_list(config, &train)?;
    let mut layers = vec![train.clone()];
    let mut list = &config.list;
    let mut path = "task";
    if let Some((at, o)) = config.overrides(split) {
        let Overrides { base, vary, drift, actuator, sensor, .. } = o;
        let over = Layer::of(at, Tables { base, vary, drift, actuator, sensor })?;
        layers = match o.mode {
            Mode::OneOut if over.names().is_empty() => return Err(invalid(at, "mode = \"one_out\" of no channels")),
            Mode::OneOut => over.names().iter().map(|name| train.with(&over.only(name))).collect(),
            Mode::AllOut => vec![train.with(&over)],
        };
        if !o.list.is_empty() {
            list = &o.list;
            path = at;
        } else if let Some((name, at, i)) = over.listed(&config.list).next() {
            let problem = format!("task.list[{i}] also sets {name}, for all splits; give this split a list of its own");
            return Err(invalid(at, problem));
        }
    }
    if !list.is_empty() {
        layers = with_list(&layers, list, path)?;
    }
    layers.into_iter().map(|layer| layer.plan(spec, config)).collect()
}

/// The combinations of every layer with every alternative.
fn with_list(layers: &[Layer], list: &[BTreeMap<String, Number>], path: &str) -> Result<Vec<Layer>, TaskError> {
    if layers.len() * list.len() > MAX_PLANS {
        return Err(invalid(&format!("{path}.list"), format!("{} alternatives; at most {MAX_PLANS}", list.len())));
    }
    let mut all = Vec::new();
    for (i, alternative) in list.iter().enumerate() {
        let mut over = Layer::default();
        for (name, number) in alternative {
            let path = format!("{path}.list[{i}].{name}");
            check_word(&path, "", number)?;
            over.law(path, name, number.law())?;
        }
        all.extend(layers.iter().map(|layer| layer.with(&over)));
    }
    Ok(all)
}

/// Refuses an entry that is never read, because every alternative of every split replaces it.
fn check_list(config: &TaskConfig, train: &Layer) -> Result<(), TaskError> {
    let own_list = |overrides: &Option<Overrides>| overrides.as_ref().is_some_and(|o| !o.list.is_empty());
    if own_list(&config.split.in_dist) || own_list(&config.split.ood) {
        return Ok(());
    }
    let always = |name: &str| config.list.iter().all(|alternative| alternative.contains_key(name));
    match train.listed(&config.list).find(|(name, ..)| always(name)) {
        Some((name, at, _)) => {
            Err(invalid(at, format!("every alternative of task.list sets {name}, so this is never read; leave it out")))
        }
        None => Ok(()),
    }
}

/// The tables of a task file that set channels.
struct Tables<'a> {
    base: &'a BTreeMap<String, f64>,
    vary: &'a BTreeMap<String, Law>,
    drift: &'a BTreeMap<String, DriftConfig>,
    actuator: &'a BTreeMap<String, Number>,
    sensor: &'a BTreeMap<String, BTreeMap<String, Number>>,
}

/// Entries by channel name, each with its path.
type Entries<T> = BTreeMap<String, (String, T)>;

/// The entries of some tables.
#[derive(Clone, Debug, Default)]
struct Layer {
    vary: Entries<Law>,
    drift: Entries<DriftConfig>,
}

impl Layer {
    fn of(path: &str, said: Tables<'_>) -> Result<Layer, TaskError> {
        let mut layer = Layer::default();
        for (name, value) in said.base {
            layer.law(format!("{path}.base.{name}"), name, Law::Fixed { value: *value })?;
        }
        for (name, law) in said.vary {
            layer.law(format!("{path}.vary.{name}"), name, law.clone())?;
        }
        for (field, number) in said.actuator {
            let path = format!("{path}.actuator.{field}");
            check_word(&path, "", number)?;
            layer.law(path, &format!("actuator_{field}"), number.law())?;
        }
        for (component, fields) in said.sensor {
            for (field, number) in fields {
                let path = format!("{path}.sensor.{component}.{field}");
                check_word(&path, "", number)?;
                layer.law(path, &format!("sensor_{component}_{field}"), number.law())?;
            }
        }
        for (name, config) in said.drift {
            let at = format!("{path}.drift.{name}");
            if let Some((other, _)) = layer.vary.get(name)
                && replaces(config)
            {
                let table = other.strip_suffix(&format!(".{name}")).unwrap_or(other);
                let problem = format!("also in {table}; a channel is either set or follows a schedule");
                return Err(invalid(&at, format!("{problem}, unless with a window, or apply = \"add\" or \"scale\"")));
            }
            layer.drift.insert(name.clone(), (at, config.clone()));
        }
        Ok(layer)
    }

    /// Adds a law; refuses a second one for the same channel.
    fn law(&mut self, path: String, name: &str, law: Law) -> Result<(), TaskError> {
        match self.vary.insert(name.to_string(), (path.clone(), law)) {
            Some((other, _)) => Err(invalid(&path, format!("the same channel is also set by {other}"))),
            None => Ok(()),
        }
    }

    fn names(&self) -> BTreeSet<String> {
        self.vary.keys().chain(self.drift.keys()).cloned().collect()
    }

    fn only(&self, name: &str) -> Layer {
        let mut layer = self.clone();
        layer.vary.retain(|key, _| key == name);
        layer.drift.retain(|key, _| key == name);
        layer
    }

    fn with(&self, over: &Layer) -> Layer {
        let mut layer = self.clone();
        layer.lay(over);
        layer
    }

    /// The entries that alternatives would replace: channel, its path here, and the first such alternative.
    fn listed<'a>(
        &'a self,
        list: &'a [BTreeMap<String, Number>],
    ) -> impl Iterator<Item = (&'a String, &'a str, usize)> {
        let laws = self.vary.iter().map(|(name, (path, _))| (name, path));
        let absolute = self.drift.iter().filter(|(_, (_, config))| config.timing.apply == Apply::Abs);
        let set = laws.chain(absolute.map(|(name, (path, _))| (name, path)));
        set.filter_map(|(name, path)| {
            let first = list.iter().position(|alternative| alternative.contains_key(name))?;
            Some((name, path.as_str(), first))
        })
    }

    /// Replaces entries by those of another layer for the same channels.
    fn lay(&mut self, over: &Layer) {
        for (name, entry) in &over.vary {
            if self.drift.get(name).is_some_and(|(_, config)| config.timing.apply == Apply::Abs) {
                self.drift.remove(name);
            }
            self.vary.insert(name.clone(), entry.clone());
        }
        for (name, entry) in &over.drift {
            if replaces(&entry.1) && !over.vary.contains_key(name) {
                self.vary.remove(name);
            }
            self.drift.insert(name.clone(), entry.clone());
        }
    }

    fn plan(self, spec: &EnvSpec, config: &TaskConfig) -> Result<Plan, TaskError> {
        let channels = channels(spec);
        let vary = resolve(spec, self.vary)?;
        for entry in &vary {
            check_law(&entry.path, Some(&channels[entry.channel]), &entry.what)?;
        }
        let drift = resolve(spec, self.drift)?;
        for entry in &drift {
            let channel = &channels[entry.channel];
            let drawn = vary.iter().find(|other| other.channel == entry.channel);
            let base = drawn.map_or((channel.default, channel.default), |entry| entry.what.support());
            check_drift(&entry.path, (entry.channel, channel), base, &entry.what)?;
        }
        let copulas = config
            .correlated
            .iter()
            .enumerate()
            .map(|(i, correlated)| Copula::new(&format!("task.correlated[{i}]"), spec, correlated, &vary));
        let copulas: Vec<Copula> = copulas.collect::<Result<_, _>>()?;
        for (i, copula) in copulas.iter().enumerate() {
            let twice = |j: &usize| copulas[*j].channels.iter().find(|channel| copula.channels.contains(channel));
            if let Some((j, channel)) = (0..i).find_map(|j| twice(&j).map(|channel| (j, *channel))) {
                let name = &channels[channel].name;
                let problem = format!("`{name}` is also in task.correlated[{j}]; write one group with a matrix of all");
                return Err(invalid(&format!("task.correlated[{i}]"), problem));
            }
        }
        Ok(Plan { copulas, vary, drift })
    }
}

/// Returns true if the undrifted value of a channel is never read, because a schedule replaces it at all times.
fn replaces(config: &DriftConfig) -> bool {
    config.timing.apply == Apply::Abs && config.timing.window.is_none()
}

/// Replaces names by indices.
fn resolve<T>(spec: &EnvSpec, entries: Entries<T>) -> Result<Vec<Entry<T>>, TaskError> {
    let resolved = entries.into_iter().map(|(name, (path, what))| {
        let channel = channel_at(spec, &path, &name)?;
        Ok(Entry { path, channel, what })
    });
    resolved.collect()
}

/// Refuses the word `random` where it has no meaning.
fn check_word(path: &str, field: &str, number: &Number) -> Result<(), TaskError> {
    if matches!(number, Number::Random(_)) && field != "phase" {
        return Err(invalid(path, "\"random\" is for the phase of a periodic schedule; write a law"));
    }
    Ok(())
}

/// Refuses a law that is ill-formed or, for a channel, could draw an illegal value.
fn check_law(path: &str, channel: Option<&Channel>, law: &Law) -> Result<(), TaskError> {
    for value in law.values() {
        check_finite(path, value)?;
    }
    if let Some(problem) = law.defect() {
        return Err(invalid(path, problem));
    }
    let (low, high) = law.support();
    if !low.is_finite() || !high.is_finite() {
        return Err(invalid(path, "a normal law needs low and high here, within the legal range"));
    }
    if let Some(channel) = channel {
        check_value(path, channel, low)?;
        check_value(path, channel, high)?;
    }
    Ok(())
}

/// Largest number of laws in a schedule: every corner of their box is checked.
const MAX_DRAWN: usize = 12;

/// Refuses a drift if any schedule it can draw is ill-formed or leaves its bounds where that is an
/// error. By the shape of [`crate::Schedule::range`] it is enough to check the corners: each
/// number, and the undrifted value, at one end of its support.
fn check_drift(
    path: &str,
    (index, channel): (usize, &Channel),
    base: (f64, f64),
    config: &DriftConfig,
) -> Result<(), TaskError> {
    let mut drawn = 0;
    config.schedule.try_map(|field, number| {
        let path = format!("{path}.{field}");
        check_word(&path, field, number)?;
        let law = number.law();
        check_law(&path, None, &law)?;
        drawn += usize::from(law.support().0 < law.support().1);
        Ok(())
    })?;
    if drawn > MAX_DRAWN {
        return Err(invalid(path, format!("{drawn} numbers with laws; at most {MAX_DRAWN}")));
    }
    for corner in 0..2_u32 << drawn {
        let mut place = 0;
        let schedule = config.schedule.try_map(|_, number| {
            let (low, high) = number.law().support();
            place += usize::from(low < high);
            Ok::<_, TaskError>(if low < high && corner >> place & 1 == 1 { high } else { low })
        })?;
        let base = if corner & 1 == 1 { base.1 } else { base.0 };
        Drift::new(path, (index, channel), base, schedule, config.timing, Noise::default())?;
    }
    Ok(())
}
