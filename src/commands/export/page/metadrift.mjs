// A trained policy as WebAssembly, alone or in its environment, for browsers, Node and other runtimes of JavaScript.
//
// const library = await load(bytesOfMetadriftWasm);
// const policy = library.policy(bytesOfPolicyBin);
// policy.act(observation) gives a command; policy.outcome(reward, observationAfter, GOING) tells what followed.

/** The interface that this file calls. */
export const ABI = 1;

/** Ends of a step: the episode goes on, is over for good, or was stopped and could have gone on. */
export const [GOING, TERMINATED, STOPPED] = [0, 1, 2];

/** The library in the bytes of metadrift.wasm. */
export async function load(bytes) {
  const { instance } = await WebAssembly.instantiate(bytes, {});
  const abi = instance.exports.metadrift_abi();
  if (abi !== ABI) {
    throw new Error(`metadrift.wasm has interface ${abi}, and these sources call interface ${ABI}: export both again`);
  }
  return new Library(instance.exports);
}

class Library {
  constructor(exports) {
    this.exports = exports;
  }

  /** The policy in the bytes of policy.bin. */
  policy(bytes) {
    return new Policy(this, this.#opened('metadrift_open', [bytes]));
  }

  /** A world: its description as text, and the bytes of policy.bin. */
  world(setup, bytes) {
    return new World(this, this.#opened('metadrift_world_open', [new TextEncoder().encode(setup), bytes]));
  }

  #opened(name, blocks) {
    const places = blocks.map((block) => this.put(Uint8Array, block));
    const handle = this.alloc(4);
    try {
      this.call(name, ...places.flatMap((at, k) => [at, blocks[k].length]), handle);
      return new Uint32Array(this.exports.memory.buffer, handle, 1)[0];
    } finally {
      places.forEach((at, k) => this.exports.metadrift_free(at, blocks[k].length));
      this.exports.metadrift_free(handle, 4);
    }
  }

  /** Memory inside of the module. */
  alloc(bytes) {
    return this.exports.metadrift_alloc(bytes);
  }

  /** Numbers inside of the module; memory may have moved since the last call. */
  numbers(Type, at, count) {
    return new Type(this.exports.memory.buffer, at, count);
  }

  /** Memory that holds these numbers. */
  put(Type, numbers) {
    const at = this.alloc(numbers.length * Type.BYTES_PER_ELEMENT);
    this.numbers(Type, at, numbers.length).set(numbers);
    return at;
  }

  /** Calls a function that returns a code; throws the message of a failure. */
  call(name, ...args) {
    if (this.exports[name](...args) === 0) return;
    const at = this.exports.metadrift_error();
    const rest = new Uint8Array(this.exports.memory.buffer, at);
    throw new Error(new TextDecoder().decode(rest.slice(0, rest.indexOf(0))));
  }
}

/** A policy that acts on one machine: the functions of metadrift.h. */
class Policy {
  #library;
  #at;
  #obs;
  #command;
  #random;
  #told;

  constructor(library, at) {
    const x = library.exports;
    this.#library = library;
    this.#at = at;
    this.observationSize = x.metadrift_observation_size(at);
    this.commandSize = x.metadrift_command_size(at);
    this.parameterCount = x.metadrift_parameter_count(at);
    /** Episodes that a step of adaptation learned from in training; 0 for a policy that adapts while it acts. */
    this.episodesPerStep = x.metadrift_episodes_per_step(at);
    this.horizon = x.metadrift_horizon(at);
    this.#obs = library.alloc(4 * this.observationSize);
    this.#command = library.alloc(4 * this.commandSize);
    this.#random = library.alloc(16);
    this.#told = library.alloc(24);
  }

  #see(observation) {
    if (observation.length !== this.observationSize) {
      throw new Error(`an observation of ${observation.length} numbers where the policy sees ${this.observationSize}`);
    }
    this.#library.numbers(Float32Array, this.#obs, this.observationSize).set(observation);
    return [this.#obs, this.observationSize];
  }

  #given() {
    return this.#library.numbers(Float32Array, this.#command, this.commandSize).slice();
  }

  /** Forgets what it remembers; parameters stay. */
  begin() {
    this.#library.call('metadrift_begin', this.#at);
  }

  /** The most likely command. */
  act(observation) {
    this.#library.call('metadrift_act', this.#at, ...this.#see(observation), this.#command, this.commandSize);
    return this.#given();
  }

  /** A drawn command; `random` are four numbers in [0, 1), such as `uniforms` gives. */
  sample(observation, random) {
    const seen = this.#see(observation);
    this.#library.numbers(Float32Array, this.#random, 4).set(random);
    this.#library.call('metadrift_sample', this.#at, ...seen, this.#random, this.#command, this.commandSize);
    return this.#given();
  }

  /** Four uniform numbers of a seed and a tick, both BigInt. */
  uniforms(seed, tick) {
    this.#library.call('metadrift_uniforms', seed, tick, this.#random);
    return this.#library.numbers(Float32Array, this.#random, 4).slice();
  }

  /** Takes in what followed the last command. */
  outcome(reward, observation, end) {
    this.#library.call('metadrift_outcome', this.#at, reward, ...this.#see(observation), end);
  }

  /** Makes room for the steps of an adaptation. */
  room(steps) {
    this.#library.call('metadrift_room', this.#at, steps);
  }

  /** As `outcome`, and remembers the step for the next adaptation. */
  record(reward, observation, end) {
    this.#library.call('metadrift_record', this.#at, reward, ...this.#see(observation), end);
  }

  /** Takes a step of adaptation on what was recorded. */
  adapt() {
    this.#library.call('metadrift_adapt', this.#at, this.#told);
    const [episodes, samples] = this.#library.numbers(Uint32Array, this.#told, 2);
    const [meanReturn, stepNorm] = this.#library.numbers(Float64Array, this.#told + 8, 2);
    return { episodes, samples, meanReturn, stepNorm };
  }

  /** Takes all adaptation back. */
  reset() {
    this.#library.call('metadrift_reset', this.#at);
  }

  /** The parameters as they are now. */
  parameters() {
    const at = this.#library.alloc(4 * this.parameterCount);
    try {
      this.#library.call('metadrift_parameters', this.#at, at, this.parameterCount);
      return this.#library.numbers(Float32Array, at, this.parameterCount).slice();
    } finally {
      this.#library.exports.metadrift_free(at, 4 * this.parameterCount);
    }
  }
}

/** A policy in its environment. */
class World {
  #library;
  #at;
  #told;

  constructor(library, at) {
    this.#library = library;
    this.#at = at;
    this.#told = library.alloc(32);
    this.episodesPerStep = library.exports.metadrift_world_episodes_per_step(at);
  }

  /** Takes a step: by the most likely command, or by a drawn one that is recorded for an adaptation. */
  step(learn) {
    this.#library.call('metadrift_world_step', this.#at, learn ? 1 : 0);
  }

  /** Changes the quantity at this place of the description, in the middle of an episode. */
  set(place, value) {
    this.#library.call('metadrift_world_set', this.#at, place, value);
  }

  /** Takes a step of adaptation on what was recorded, and begins an episode. */
  adapt() {
    this.#library.call('metadrift_world_adapt', this.#at, this.#told);
    const [episodes, samples, meanReturn, stepNorm] = this.#library.numbers(Float64Array, this.#told, 4);
    return { episodes, samples, meanReturn, stepNorm };
  }

  /** Takes all adaptation or memory back, and begins an episode. */
  reset() {
    this.#library.call('metadrift_world_reset', this.#at);
  }

  /** The numbers to show; `sizes` has the lengths of their lists. */
  view({ state, obs, act, channels }) {
    const at = this.#library.exports.metadrift_world_view(this.#at);
    const all = Array.from(this.#library.numbers(Float64Array, at, 6 + state + obs + 2 * act + channels));
    const [reward, end, earned, step, episodes, recorded] = all.splice(0, 6);
    const list = (count) => all.splice(0, count);
    return {
      reward, end, earned, step, episodes, recorded,
      state: list(state), obs: list(obs), command: list(act), applied: list(act), values: list(channels),
    };
  }
}
