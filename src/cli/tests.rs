use super::*;

#[test]
fn the_definition_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn times_read_as_people_write_them() {
    assert_eq!(parse_time("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_time("1.5m"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_time("2h"), Ok(Duration::from_secs(7200)));
    assert_eq!(parse_time("1d"), Ok(Duration::from_secs(86_400)));
    assert!(parse_time("10 days").is_err() && parse_time("-1s").is_err() && parse_time("nans").is_err());
}
