// What was seen in the last quarter of an hour, as figures of each second: made of the differences of two looks.

export const MOST = 900;
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const NAMES = ["0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "+Inf"];
// Of so many upstreams there is a history; of more, those that were seen first.
const MOST_UPSTREAMS = 200;
const CLASSES = ["2xx", "3xx", "4xx", "5xx", "none"];

export class History {
  constructor() {
    // Each has a time (milliseconds), and figures by name in listeners, pools, upstreams and workers. A sample without
    // figures is a gap.
    this.samples = [];
    this.before = null;
    this.status = null;
  }

  add(status, now) {
    const before = this.before;
    this.before = this.status = status;
    const seconds = before === null ? 0 : status.seconds - before.seconds;
    if (seconds <= 0) return;
    // Some seconds without a word are a gap in all lines.
    if (seconds > 5) this.#push({time: now - 1});
    this.#push({
      time: now,
      listeners: differences(status.listeners, before.listeners, (is, was) => ofListener(is, was, seconds)),
      ...ofPools(status, before, seconds),
      workers: differences(status.workers, before.workers, (is, was) => ({
        cpu: Math.max(0, is.cpu - was.cpu) / seconds, lag: is.lag, memory: is.memory,
      }), (one) => `worker ${one.worker ?? 1}`),
    });
  }

  // There will be nothing for a while.
  gap() {
    this.before = null;
    if (this.samples.length) this.#push({time: Date.now()});
  }

  // The samples of the last so many seconds.
  last(seconds) {
    const from = Date.now() - seconds * 1000;
    let first = this.samples.length;
    while (first > 0 && this.samples[first - 1].time >= from) first -= 1;
    return this.samples.slice(first);
  }

  #push(sample) {
    this.samples.push(sample);
    if (this.samples.length > MOST) this.samples.shift();
  }
}

function differences(now, before, made, nameOf = (one) => one.name) {
  const known = new Map(before.map((one) => [nameOf(one), one]));
  const found = {};
  for (const one of now) {
    const was = known.get(nameOf(one));
    if (was !== undefined) found[nameOf(one)] = made(one, was);
  }
  return found;
}

// How much more it is. What a worker had counted that has ended is gone: that is less, and no event.
function more(is, was) {
  return Math.max(0, (is ?? 0) - (was ?? 0));
}

function histogram(is = {}, was = {}) {
  return NAMES.map((name) => more(is[name], was[name]));
}

function sum(table) {
  return Object.values(table).reduce((one, other) => one + other, 0);
}

function ofListener(is, was, seconds) {
  const made = {
    requests: 0, active: is.connections, sent: more(is.sent, was.sent) / seconds, received: more(is.received, was.received) / seconds,
    retries: more(is.retries, was.retries) / seconds, times: histogram(is.durations, was.durations), classes: {},
    hits: more(is.cache.hit, was.cache.hit) / seconds, looked: more(sum(is.cache), sum(was.cache)) / seconds,
  };
  for (const name of CLASSES) {
    made.classes[name] = more(is.requests[name], was.requests[name]) / seconds;
    made.requests += made.classes[name];
  }
  const streams = more(sum(is.streams), sum(was.streams)) / seconds;
  const fine = more((is.streams.ok ?? 0) + (is.streams.tunnel ?? 0), (was.streams.ok ?? 0) + (was.streams.tunnel ?? 0)) / seconds;
  made.classes.none += Math.max(0, streams - fine);
  made.requests += streams;
  return made;
}

function ofPools(status, before, seconds) {
  const pools = {}, upstreams = {};
  let known = 0;
  for (const [pool, found] of Object.entries(status.upstreams)) {
    const was = new Map((before.upstreams[pool] ?? []).map((one) => [one.name, one]));
    const whole = pools[pool] = {requests: 0, failures: 0, active: 0, times: new Array(NAMES.length).fill(0)};
    for (const one of found) {
      const old = was.get(one.name);
      const times = histogram(status.times[pool]?.[one.name]?.durations, before.times[pool]?.[one.name]?.durations);
      const made = {
        requests: old ? more(one.requests, old.requests) / seconds : 0,
        failures: old ? more(one.failures, old.failures) / seconds : 0, active: one.active, times,
      };
      for (const key of ["requests", "failures", "active"]) whole[key] += made[key];
      times.forEach((number, place) => { whole.times[place] += number; });
      known += 1;
      if (known <= MOST_UPSTREAMS) upstreams[`${pool} ${one.name}`] = made;
    }
  }
  return {pools, upstreams};
}

// So much that a share of all took no longer, in seconds: as Prometheus reads a histogram. Null where nothing was counted.
export function quantile(share, counts) {
  const all = counts.reduce((one, other) => one + other, 0);
  if (!all) return null;
  const wanted = share * all;
  let reached = 0;
  for (let place = 0; place < BOUNDS.length; place += 1) {
    if (counts[place] && reached + counts[place] >= wanted) {
      const below = place ? BOUNDS[place - 1] : 0;
      return below + (BOUNDS[place] - below) * ((wanted - reached) / counts[place]);
    }
    reached += counts[place];
  }
  return BOUNDS[BOUNDS.length - 1];
}

// For each sample the counts of it and of those before it, as many as there are in a window of samples: the times of a
// single second say little.
export function running(samples, countsOf, window) {
  const sums = new Array(NAMES.length).fill(0);
  const kept = [];
  return samples.map((sample) => {
    const counts = sample.listeners ? countsOf(sample) : null;
    kept.push(counts);
    if (counts) counts.forEach((number, place) => { sums[place] += number; });
    const gone = kept.length > window ? kept[kept.length - 1 - window] : null;
    if (gone) gone.forEach((number, place) => { sums[place] -= number; });
    return counts ? [...sums] : null;
  });
}
