//! Records for TensorBoard's tabs of distributions and custom scalars.

use protobuf::Message;
use tensorboard_proto::{
    layout::{Category, Chart, Layout, MarginChartContent_Series},
    summary::Summary_Value,
    tensor::TensorProto,
    tensor_shape::TensorShapeProto_Dim,
    types::DataType,
};

use super::plugin_value;

/// Number of bins of a distribution.
const BINS: usize = 30;

/// The distribution of `values` as rows (left end, right end, count) of equal width, as the plugin `histograms` reads it.
pub(super) fn histogram(tag: &str, values: &[f64]) -> Summary_Value {
    let bins = bins(values);
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_DOUBLE);
    for size in [bins.len(), 3] {
        let mut dim = TensorShapeProto_Dim::new();
        dim.set_size(size as i64);
        tensor.mut_tensor_shape().mut_dim().push(dim);
    }
    tensor.set_double_val(bins.concat());
    plugin_value(tag, "histograms", Vec::new(), tensor)
}

/// Bins of equal width from the least to the largest value: left end, right end, count. Values that are not finite are in none;
/// equal ones share a single bin.
fn bins(values: &[f64]) -> Vec<[f64; 3]> {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let (low, high) = finite.iter().fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
    if finite.is_empty() {
        return Vec::new();
    }
    if low == high {
        return vec![[low, high, finite.len() as f64]];
    }
    let width = (high - low) / BINS as f64;
    let end = |k: usize| if k == BINS { high } else { low + k as f64 * width };
    let mut bins: Vec<[f64; 3]> = (0..BINS).map(|k| [end(k), end(k + 1), 0.0]).collect();
    finite.iter().for_each(|x| bins[(((x - low) / width) as usize).min(BINS - 1)][2] += 1.0);
    bins
}

/// The page of custom scalars: returns before and after adaptation in one chart, beside those of the controller with full
/// knowledge and of the best fixed law, and held-out returns with their intervals.
pub(super) fn layout() -> protobuf::ProtobufResult<Summary_Value> {
    let mut training = Category::new();
    training.set_title("Training".into());
    training.mut_chart().push(lines(
        "return before and after adaptation",
        &["return", "return/pre", "return/unadapted", "return/post"],
    ));
    let mut held_out = Category::new();
    held_out.set_title("Held-out tasks".into());
    for split in ["in-dist", "ood"] {
        let tags = ["return", "oracle", "fixed"].map(|name| format!("eval/{split}/{name}_k[0-9]+"));
        held_out.mut_chart().push(lines(&format!("{split}: after k steps, oracle, best fixed law"), &tags));
        held_out.mut_chart().push(band(&format!("{split}: before and after one step, with intervals"), split));
    }
    let mut layout = Layout::new();
    [training, held_out].into_iter().for_each(|category| layout.mut_category().push(category));
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.mut_tensor_shape();
    tensor.mut_string_val().push(layout.write_to_bytes()?);
    Ok(plugin_value("custom_scalars__config__", "custom_scalars", Vec::new(), tensor))
}

/// A chart of all scalars whose tags match one of `tags`, regular expressions.
fn lines(title: &str, tags: &[impl AsRef<str>]) -> Chart {
    let mut chart = Chart::new();
    chart.set_title(title.to_owned());
    tags.iter().for_each(|tag| chart.mut_multiline().mut_tag().push(format!("^{}$", tag.as_ref())));
    chart
}

/// A chart of the held-out returns of `split` before and after one step with the bands of their intervals.
fn band(title: &str, split: &str) -> Chart {
    let mut chart = Chart::new();
    chart.set_title(title.to_owned());
    for k in [0, 1] {
        let tag = |name: &str| format!("eval/{split}/{name}_k{k}");
        let mut series = MarginChartContent_Series::new();
        series.set_value(tag("return"));
        series.set_lower(tag("return_low"));
        series.set_upper(tag("return_high"));
        chart.mut_margin().mut_series().push(series);
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_every_finite_value_once() {
        let values: Vec<f64> = (0..=60).map(f64::from).chain([f64::NAN]).collect();
        let bins = bins(&values);
        // 61 values in 30 bins of width 2: two in each, and three in the last, which has its right end
        assert_eq!((bins.len(), bins[0], bins[29]), (30, [0.0, 2.0, 2.0], [58.0, 60.0, 3.0]));
        assert_eq!(bins.iter().map(|bin| bin[2]).sum::<f64>(), 61.0);
        assert_eq!(super::bins(&[5.0; 4]), [[5.0, 5.0, 4.0]]);
        assert!(super::bins(&[f64::INFINITY]).is_empty());
    }
}
