//! A graph under construction.

use std::collections::HashMap;

use super::proto::{self, Attribute, Dim, Kind};

/// The name of a tensor in a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub String);

impl From<&str> for Name {
    fn from(name: &str) -> Name {
        Name(name.to_owned())
    }
}

/// Nodes, constants, inputs and outputs.
#[derive(Debug, Default)]
pub struct Graph {
    prefix: &'static str,
    nodes: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    /// Names of constants by type, dimensions and bytes.
    known: HashMap<(Kind, Vec<usize>, Vec<u8>), Name>,
    count: usize,
}

impl Graph {
    /// An empty graph, all of whose names begin with `prefix`: those of a graph within another must differ from its.
    pub fn new(prefix: &'static str) -> Graph {
        Graph { prefix, ..Graph::default() }
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, kind: Kind, dims: &[Dim], doc: &str) -> Name {
        self.inputs.push(proto::value(name, kind, dims, doc));
        name.into()
    }

    /// Adds an input of numbers `[values]` with a default.
    pub fn default_input(&mut self, name: &str, values: &[f32], doc: &str) -> Name {
        self.tensors.push(proto::tensor(name, Kind::Float, &[values.len()], &bytes(values, f32::to_le_bytes)));
        self.input(name, Kind::Float, &[Dim::Fixed(values.len())], doc)
    }

    /// Makes `from` the output `name`.
    pub fn output(&mut self, from: &Name, name: &str, kind: Kind, dims: &[Dim], doc: &str) {
        self.nodes.push(proto::node("Identity", std::slice::from_ref(&from.0), &[name.to_owned()], &[]));
        self.outputs.push(proto::value(name, kind, dims, doc));
    }

    /// The result of an operation.
    pub fn op(&mut self, op: &str, inputs: &[&Name]) -> Name {
        self.with(op, inputs, &[])
    }

    /// The result of an operation with attributes.
    pub fn with(&mut self, op: &str, inputs: &[&Name], attributes: &[(&str, Attribute)]) -> Name {
        self.count += 1;
        let out = format!("{}{}_{}", self.prefix, op.to_lowercase(), self.count);
        let inputs: Vec<String> = inputs.iter().map(|name| name.0.clone()).collect();
        self.nodes.push(proto::node(op, &inputs, std::slice::from_ref(&out), attributes));
        Name(out)
    }

    fn constant(&mut self, kind: Kind, dims: &[usize], raw: Vec<u8>) -> Name {
        let name = Name(format!("{}c{}", self.prefix, self.known.len()));
        let key = (kind, dims.to_vec(), raw);
        if let Some(name) = self.known.get(&key) {
            return name.clone();
        }
        self.tensors.push(proto::tensor(&name.0, kind, dims, &key.2));
        self.known.insert(key, name.clone());
        name
    }

    /// Constant `f64` numbers of shape `dims`.
    pub fn doubles(&mut self, dims: &[usize], values: &[f64]) -> Name {
        self.constant(Kind::Double, dims, bytes(values, f64::to_le_bytes))
    }

    /// Constant `f32` numbers of shape `dims`.
    pub fn floats(&mut self, dims: &[usize], values: &[f32]) -> Name {
        self.constant(Kind::Float, dims, bytes(values, f32::to_le_bytes))
    }

    /// Constant whole numbers `[values]`.
    pub fn ints(&mut self, values: &[i64]) -> Name {
        self.constant(Kind::Int, &[values.len()], bytes(values, i64::to_le_bytes))
    }

    /// One `f64` number.
    pub fn double(&mut self, value: f64) -> Name {
        self.doubles(&[], &[value])
    }

    /// One `f32` number.
    pub fn float(&mut self, value: f32) -> Name {
        self.floats(&[], &[value])
    }

    /// One whole number.
    pub fn int(&mut self, value: i64) -> Name {
        self.constant(Kind::Int, &[], value.to_le_bytes().to_vec())
    }

    /// `a + b`
    pub fn add(&mut self, a: &Name, b: &Name) -> Name {
        self.op("Add", &[a, b])
    }

    /// `a - b`
    pub fn sub(&mut self, a: &Name, b: &Name) -> Name {
        self.op("Sub", &[a, b])
    }

    /// `a b`, number by number
    pub fn mul(&mut self, a: &Name, b: &Name) -> Name {
        self.op("Mul", &[a, b])
    }

    /// `a / b`
    pub fn div(&mut self, a: &Name, b: &Name) -> Name {
        self.op("Div", &[a, b])
    }

    /// The matrix product.
    pub fn matmul(&mut self, a: &Name, b: &Name) -> Name {
        self.op("MatMul", &[a, b])
    }

    /// `a` where `condition` holds, else `b`.
    pub fn choose(&mut self, condition: &Name, a: &Name, b: &Name) -> Name {
        self.op("Where", &[condition, a, b])
    }

    /// `x` as numbers of type `kind`.
    pub fn cast(&mut self, x: &Name, kind: Kind) -> Name {
        self.with("Cast", &[x], &[("to", Attribute::Int(kind as i64))])
    }

    /// `x` in the shape `dims`: -1 stands for what is left, 0 for the extent that it has.
    pub fn reshape(&mut self, x: &Name, dims: &[i64]) -> Name {
        let dims = self.ints(dims);
        self.op("Reshape", &[x, &dims])
    }

    /// `x` with new axes of extent 1.
    pub fn unsqueeze(&mut self, x: &Name, axes: &[i64]) -> Name {
        let axes = self.ints(axes);
        self.op("Unsqueeze", &[x, &axes])
    }

    /// `x` with the order of its axes changed.
    pub fn transpose(&mut self, x: &Name, order: &[i64]) -> Name {
        self.with("Transpose", &[x], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    /// The part `start..end` of axis `axis`.
    pub fn slice(&mut self, x: &Name, (start, end): (i64, i64), axis: i64) -> Name {
        let [start, end, axis] = [start, end, axis].map(|number| self.ints(&[number]));
        self.op("Slice", &[x, &start, &end, &axis])
    }

    /// The parts at `places` of axis `axis`.
    pub fn gather(&mut self, x: &Name, places: &Name, axis: i64) -> Name {
        self.with("Gather", &[x, places], &[("axis", Attribute::Int(axis))])
    }

    /// The tensors behind each other along axis `axis`.
    pub fn concat(&mut self, parts: &[&Name], axis: i64) -> Name {
        self.with("Concat", parts, &[("axis", Attribute::Int(axis))])
    }

    /// A reduction (`ReduceSum`, `ReduceMax`, `ReduceMin`) over `axes`, or over all if there are none.
    pub fn reduce(&mut self, op: &str, x: &Name, axes: &[i64]) -> Name {
        let keep = [("keepdims", Attribute::Int(0))];
        if axes.is_empty() {
            return self.with(op, &[x], &keep);
        }
        let axes = self.ints(axes);
        self.with(op, &[x, &axes], &keep)
    }

    /// The result of `times` rounds of `body` on `state`; the body has the inputs `round`, `going` and the state, and the
    /// outputs `going` and the state.
    pub fn repeat(&mut self, times: usize, state: &Name, body: Vec<u8>) -> Name {
        let (times, going) = (self.int(times as i64), self.constant(Kind::Bool, &[], vec![1]));
        self.with("Loop", &[&times, &going, state], &[("body", Attribute::Graph(body))])
    }

    /// The graph in encoded form.
    pub fn encode(&self, name: &str, doc: &str) -> Vec<u8> {
        proto::graph(name, doc, [&self.nodes, &self.tensors, &self.inputs, &self.outputs])
    }
}

fn bytes<T: Copy, const N: usize>(values: &[T], of: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| of(*value)).collect()
}
