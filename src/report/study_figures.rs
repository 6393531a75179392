//! The figures of a study.

use std::collections::BTreeSet;

use super::{
    chart::{Chart, Line, Panel},
    heat::{Axis, Bins, Heat, binned, effect},
    page::Figure,
    stored::{Preset, Results, Row},
    study::SPLITS,
};

/// Most maps of a figure.
const MAPS: usize = 6;

/// A line for each method of a metric over its `at`.
fn lines(results: &Results, preset: &Preset, split: &str, metric: &str) -> Vec<Line> {
    let of_method = |name: &String| {
        let same = |row: &&Row| {
            (&row.method, &row.preset, row.split.as_str(), row.metric.as_str()) == (name, &preset.name, split, metric)
        };
        let mut rows: Vec<(f64, &Row)> =
            results.rows.iter().filter(same).filter_map(|row| Some((row.at?, row))).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let points = rows.iter().map(|(at, row)| (*at, row.value)).collect();
        Line::new(name.clone(), points, rows.iter().map(|(_, row)| (row.low, row.high)).collect())
    };
    results.methods.iter().map(|method| of_method(&method.name)).collect()
}

fn panels(results: &Results, preset: &Preset, metric: &str) -> Vec<Panel> {
    let panel = |(split, words): (&str, &str)| Panel {
        title: format!("{split}: {words}"),
        lines: lines(results, preset, split, metric),
    };
    let drawn = |panel: &Panel| panel.lines.iter().any(|line| !line.points.is_empty());
    SPLITS.map(panel).into_iter().filter(drawn).collect()
}

/// Returns by the number of adaptation steps.
pub fn curves(results: &Results, preset: &Preset) -> Option<Figure> {
    let chart = Chart {
        title: format!("Adaptation curves on {}", preset.name),
        x_label: "adaptation steps".to_owned(),
        y_label: "mean return per episode".to_owned(),
        whole: true,
        half: false,
        panels: panels(results, preset, "mean"),
    };
    (results.steps() > 0 && !chart.panels.is_empty()).then(|| Figure {
        name: format!("curves-{}", preset.name),
        caption: format!(
            "Adaptation on {}: mean return per episode of the most likely actions, by gradient steps (or phases of a life, for \
             policies with a memory). Bands: 95 % bootstrap intervals of seeds and tasks.",
            preset.name
        ),
        svg: chart.svg(),
    })
}

/// Shares of scores above tau.
pub fn profiles(results: &Results, preset: &Preset) -> Option<Figure> {
    let panels = panels(results, preset, "profile");
    let taus = panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points).map(|(tau, _)| *tau);
    let (low, high) = taus.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), tau| (low.min(tau), high.max(tau)));
    let [zero, one] = results.scale.as_ref()?;
    let chart = Chart {
        title: format!("Performance profiles on {}", preset.name),
        x_label: "tau".to_owned(),
        y_label: "share of scores above tau".to_owned(),
        whole: false,
        half: false,
        panels,
    };
    (!chart.panels.is_empty()).then(|| Figure {
        name: format!("profiles-{}", preset.name),
        caption: format!(
            "Performance profiles on {}: the share of policies and tasks whose normalised score after adaptation is above tau, for \
             tau from {low} to {high}; 0 is the mean of {zero}, 1 that of {one}. Bands: 95 % bootstrap intervals.",
            preset.name
        ),
        svg: chart.svg(),
    })
}

/// The return over the two parameters with the largest effect on the baseline, or on the first method.
pub fn heat(results: &Results, preset: &Preset) -> Option<Figure> {
    let of = results.baseline.as_ref().or(results.methods.first().map(|method| &method.name))?;
    let tasks: Vec<_> = SPLITS.iter().filter_map(|(split, _)| preset.splits.get(*split)).flatten().collect();
    let scores = |method: &str| -> Option<Vec<f64>> {
        let each = SPLITS.map(|(split, _)| results.per_task((method, &preset.name, split)).map(|[returns, _]| returns));
        let all = each.into_iter().flatten().flatten().collect::<Vec<f64>>();
        (all.len() == tasks.len()).then_some(all)
    };
    let judged = scores(of)?;
    let names: BTreeSet<&String> = tasks.iter().flat_map(|task| task.values.keys()).collect();
    let values = |name: &String| tasks.iter().map(|task| task.values.get(name).copied().unwrap_or(f64::NAN)).collect();
    let mut ranked: Vec<(f64, &String, Vec<f64>, Bins)> = names
        .into_iter()
        .filter_map(|name| {
            let values: Vec<f64> = values(name);
            Some((effect(&values, &judged), name, values.clone(), Bins::of(&values)?))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let [first, second] = ranked.get(..2)? else { return None };
    let axis = |(_, name, _, bins): &(f64, &String, Vec<f64>, Bins)| Axis {
        name: (*name).clone(),
        bins: bins.clone(),
        training: preset.training_box.get(*name).copied().unwrap_or([f64::NAN; 2]),
    };
    let axes = [axis(first), axis(second)];
    let map = |name: &String| Some((name.clone(), binned(&axes, [&first.2, &second.2], &scores(name)?)));
    let others = results.methods.iter().map(|method| &method.name).filter(|name| *name != of && results.competes(name));
    let maps = std::iter::once(of).chain(others.take(MAPS - 1)).filter_map(map).collect();
    let [x, y] = &axes;
    let caption = format!(
        "Mean return per episode after adaptation over {} and {}, the two parameters with the largest effect on {of}: {:.0} % and {:.0} % \
         of the variance between tasks lies between their bins. Tasks of both splits, means over seeds; red: the range of \
         training; –: no task.",
        x.name,
        y.name,
        100.0 * first.0,
        100.0 * second.0
    );
    let heat = Heat { title: format!("Return over {} and {} on {}", x.name, y.name, preset.name), axes, maps };
    Some(Figure { name: format!("heat-{}", preset.name), caption, svg: heat.svg() })
}
