//! A reader of event files that shares no code with the writer: framing, CRC-32C and protobuf from their specifications.
#![allow(dead_code)] // no test uses all of it

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One field of a protobuf message.
#[derive(Clone, Debug)]
pub enum Field {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Vec<u8>),
}

/// A protobuf message as its fields in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Message(pub Vec<(u64, Field)>);

impl Message {
    pub fn parse(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = match key & 7 {
                0 => Field::Varint(varint(&mut bytes)),
                1 => Field::Fixed64(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
                2 => {
                    let len = varint(&mut bytes) as usize;
                    Field::Bytes(take(&mut bytes, len).to_vec())
                }
                5 => Field::Fixed32(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    pub fn all(&self, number: u64) -> impl Iterator<Item = &Field> {
        self.0.iter().filter(move |(there, _)| *there == number).map(|(_, field)| field)
    }

    pub fn int(&self, number: u64) -> u64 {
        self.all(number).next().map_or(0, |field| match field {
            Field::Varint(value) => *value,
            other => panic!("field {number} is {other:?}"),
        })
    }

    pub fn double(&self, number: u64) -> f64 {
        self.all(number).next().map_or(0.0, |field| match field {
            Field::Fixed64(value) => f64::from_bits(*value),
            other => panic!("field {number} is {other:?}"),
        })
    }

    pub fn float(&self, number: u64) -> Option<f32> {
        self.all(number).next().map(|field| match field {
            Field::Fixed32(value) => f32::from_bits(*value),
            other => panic!("field {number} is {other:?}"),
        })
    }

    pub fn bytes(&self, number: u64) -> Option<&[u8]> {
        self.all(number).next().map(bytes_of)
    }

    pub fn text(&self, number: u64) -> String {
        String::from_utf8(self.bytes(number).unwrap_or_default().to_vec()).unwrap()
    }

    pub fn messages(&self, number: u64) -> Vec<Message> {
        self.all(number).map(|field| Message::parse(bytes_of(field))).collect()
    }

    /// The message at a path of nested messages.
    pub fn at(&self, path: &[u64]) -> Option<Message> {
        let mut here = self.clone();
        for number in path {
            here = here.messages(*number).into_iter().next()?;
        }
        Some(here)
    }
}

fn bytes_of(field: &Field) -> &[u8] {
    match field {
        Field::Bytes(bytes) => bytes,
        other => panic!("{other:?} is not bytes"),
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (head, tail) = bytes.split_at(len);
    *bytes = tail;
    head
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

/// CRC-32C bit by bit: polynomial 0x1EDC6F41, reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The events of a file; panics unless every record is whole and has the right checksums.
pub fn events(path: &Path) -> Vec<Message> {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283, "the check value of the specification");
    let file = fs::read(path).unwrap();
    let mut bytes = file.as_slice();
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let header = take(&mut bytes, 8);
        assert_eq!(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap()), masked(header), "checksum of a length");
        let data = take(&mut bytes, u64::from_le_bytes(header.try_into().unwrap()) as usize);
        assert_eq!(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap()), masked(data), "checksum of an event");
        events.push(Message::parse(data));
    }
    events
}

/// The event files of a directory in the order TensorBoard reads them.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// `(step, tag, value)` of every scalar in an event.
pub fn scalars(event: &Message) -> Vec<(u64, String, f32)> {
    let values = event.at(&[5]).unwrap_or_default().messages(1);
    values.iter().filter_map(|value| Some((event.int(2), value.text(1), value.float(2)?))).collect()
}

/// The steps at which the event files of a folder hold a value of `tag`, in the order in which they are read.
pub fn steps(dir: &Path, tag: &str) -> Vec<u64> {
    let events = files(dir).into_iter().flat_map(|file| events(&file));
    let scalars = events.flat_map(|event| scalars(&event));
    scalars.filter(|(_, name, _)| name == tag).map(|(step, ..)| step).collect()
}
