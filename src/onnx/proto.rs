//! ONNX's messages in protocol-buffer form, as far as this program writes them. Numbers of fields are those of `onnx.proto`
//! (IR version 9).

use protobuf::{CodedOutputStream, ProtobufResult};

/// Type of the elements of a tensor; the numbers are ONNX's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `f32`
    Float = 1,
    /// `i64`
    Int = 7,
    /// `bool`
    Bool = 9,
    /// `f64`
    Double = 11,
}

/// An extent of a tensor.
#[derive(Clone, Copy, Debug)]
pub enum Dim {
    /// This number.
    Fixed(usize),
    /// Any number, with a name.
    Any(&'static str),
}

/// An attribute of a node.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A graph, in encoded form.
    Graph(Vec<u8>),
}

/// Encodes a message by writing its fields.
fn message(write: impl FnOnce(&mut CodedOutputStream<'_>) -> ProtobufResult<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = CodedOutputStream::vec(&mut bytes);
    write(&mut out).and_then(|()| out.flush()).expect("memory takes all");
    drop(out);
    bytes
}

/// A constant tensor.
pub fn tensor(name: &str, kind: Kind, dims: &[usize], raw: &[u8]) -> Vec<u8> {
    message(|out| {
        dims.iter().try_for_each(|dim| out.write_int64(1, *dim as i64))?;
        out.write_int32(2, kind as i32)?;
        out.write_string(8, name)?;
        out.write_bytes(9, raw)
    })
}

/// The name, type and shape of an input or output.
pub fn value(name: &str, kind: Kind, dims: &[Dim], doc: &str) -> Vec<u8> {
    let extent = |dim: &Dim| {
        message(|out| match dim {
            Dim::Fixed(count) => out.write_int64(1, *count as i64),
            Dim::Any(name) => out.write_string(2, name),
        })
    };
    let shape = message(|out| dims.iter().try_for_each(|dim| out.write_bytes(1, &extent(dim))));
    let of_tensor = message(|out| {
        out.write_int32(1, kind as i32)?;
        out.write_bytes(2, &shape)
    });
    let of_type = message(|out| out.write_bytes(1, &of_tensor));
    message(|out| {
        out.write_string(1, name)?;
        out.write_bytes(2, &of_type)?;
        out.write_string(3, doc)
    })
}

/// An operation.
pub fn node(op: &str, inputs: &[String], outputs: &[String], attributes: &[(&str, Attribute)]) -> Vec<u8> {
    let of = |(name, attribute): &(&str, Attribute)| {
        message(|out| {
            out.write_string(1, name)?;
            match attribute {
                Attribute::Int(number) => {
                    out.write_int64(3, *number)?;
                    out.write_int32(20, 2)
                }
                Attribute::Graph(graph) => {
                    out.write_bytes(6, graph)?;
                    out.write_int32(20, 5)
                }
                Attribute::Ints(numbers) => {
                    numbers.iter().try_for_each(|number| out.write_int64(8, *number))?;
                    out.write_int32(20, 7)
                }
            }
        })
    };
    message(|out| {
        inputs.iter().try_for_each(|name| out.write_string(1, name))?;
        outputs.iter().try_for_each(|name| out.write_string(2, name))?;
        out.write_string(4, op)?;
        attributes.iter().try_for_each(|attribute| out.write_bytes(5, &of(attribute)))
    })
}

/// A graph of encoded parts.
pub fn graph(name: &str, doc: &str, parts: [&[Vec<u8>]; 4]) -> Vec<u8> {
    let [nodes, tensors, inputs, outputs] = parts;
    message(|out| {
        nodes.iter().try_for_each(|node| out.write_bytes(1, node))?;
        out.write_string(2, name)?;
        tensors.iter().try_for_each(|tensor| out.write_bytes(5, tensor))?;
        out.write_string(10, doc)?;
        inputs.iter().try_for_each(|input| out.write_bytes(11, input))?;
        outputs.iter().try_for_each(|output| out.write_bytes(12, output))
    })
}

/// A model with one graph of operators of version 18.
pub fn model(graph: &[u8], version: &str) -> Vec<u8> {
    let operators = message(|out| {
        out.write_string(1, "")?;
        out.write_int64(2, 18)
    });
    message(|out| {
        out.write_int64(1, 9)?;
        out.write_string(2, "metadrift")?;
        out.write_string(3, version)?;
        out.write_bytes(7, graph)?;
        out.write_bytes(8, &operators)
    })
}
