//! The end of a training: its evaluation in TensorBoard.

use super::Session;
use crate::{
    logging::{At, Logger},
    message,
};

impl Session {
    /// Adds the evaluation at the end to TensorBoard, by which its table compares runs: figures, a text in Markdown, and a
    /// film, a GIF of a size in pixels.
    pub fn conclude(&self, figures: &[(String, f64)], markdown: &str, film: Option<(&[u8], (u16, u16))>) {
        let at = At { iteration: self.trainer.iteration(), env_steps: self.trainer.env_steps() };
        let mut logger = Logger::after(self.run.tb(), self.trainer.config().log.x_axis);
        let figures: Vec<_> = figures.iter().map(|(name, value)| (&name[..], *value)).collect();
        logger.log(at, &figures, &[]);
        logger.text("evaluation", markdown);
        if let Some((gif, size)) = film {
            logger.film("replay of the worst task", gif, size);
        }
        logger.flush();
        if logger.dropped() > 0 {
            message::warn("the evaluation is not in TensorBoard; metadrift evaluate and report have it");
        }
    }
}
