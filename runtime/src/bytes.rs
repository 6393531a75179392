//! Numbers in a file: little endian, with a sum at the end that finds damage.

use super::form::Malformed;
use crate::prelude::*;

/// Appends numbers to a file.
#[derive(Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub(crate) fn count(&mut self, value: usize) {
        let value = u32::try_from(value).expect("sizes of a policy fit 32 bits");
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn counts(&mut self, values: &[usize]) {
        values.iter().for_each(|value| self.count(*value));
    }

    pub(crate) fn single(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn double(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn singles(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.single(*value));
    }
}

/// Takes numbers from a file.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Malformed::Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        Ok(u32::from_le_bytes(self.take()?) as usize)
    }

    /// A size that a network may have.
    pub(crate) fn size(&mut self) -> Result<usize, Malformed> {
        const MOST: usize = 1 << 16;
        match self.count()? {
            size @ 0..MOST => Ok(size),
            _ => Err(Malformed::Invalid("a size")),
        }
    }

    pub(crate) fn single(&mut self) -> Result<f32, Malformed> {
        Ok(f32::from_le_bytes(self.take()?))
    }

    pub(crate) fn double(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_le_bytes(self.take()?))
    }

    /// `count` finite numbers.
    pub(crate) fn singles(&mut self, count: usize) -> Result<Vec<f32>, Malformed> {
        if self.0.len() / 4 < count {
            return Err(Malformed::Damaged);
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.single()?);
        }
        if values.iter().all(|value| value.is_finite()) { Ok(values) } else { Err(Malformed::Invalid("a number")) }
    }
}

/// CRC-32 of `bytes`, that of zip and PNG.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0xedb8_8320 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn the_sum_is_that_of_the_catalogue_of_crc_algorithms() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
