//! Arguments of `report`.

use std::path::PathBuf;

use clap::Args;

/// `report`
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Folders of runs and studies, and files with the output of `live --format json`, in the order of the report
    #[arg(value_name = "RUN|STUDY|LIVES", required = true)]
    pub folders: Vec<PathBuf>,
    /// The file to write. It needs no network and no other file
    #[arg(long, value_name = "FILE.html")]
    pub out: PathBuf,
    /// Folder for every figure as SVG, and every table as CSV and JSON
    #[arg(long, value_name = "DIR")]
    pub assets: Option<PathBuf>,
}
