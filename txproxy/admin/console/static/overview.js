// How all of it is: figures, and lines over time, by listener, pool or upstream.

import {el, setText} from "./dom.js";
import {Chart} from "./charts.js";
import {count, bytes, duration, many, percent, rate} from "./format.js";
import {quantile, running} from "./history.js";

const WINDOWS = [["1 min", 60], ["5 min", 300], ["15 min", 900]];
const GROUPS = {listeners: "listener", pools: "pool", upstreams: "upstream"};
const BINARY = Array.from({length: 40}, (none, power) => 2 ** power);
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 1000000];
const ALL = "all together";
// So many lines in one picture; the others are added up.
const MOST_LINES = 7;
// The times of so many seconds make one figure.
const SMOOTH = 10;

export class Overview {
  constructor(context) {
    this.history = context.history;
    this.tiles = {};
    const tiles = [
      ["requests", "requests a second"], ["errors", "of them failed"], ["p95", "95 % within"], ["clients", "connected clients"],
      ["active", "at work upstream"], ["cpu", "CPU"], ["memory", "memory"], ["hits", "from the cache"],
    ].map(([name, about]) => {
      const value = el("b");
      this.tiles[name] = {value, element: el("div", {class: "tile"}, value, el("span", {}, about))};
      return this.tiles[name].element;
    });
    this.group = this.#select(Object.entries(GROUPS).map(([value, text]) => [`by ${text}`, value]), "Whose figures");
    this.one = this.#select([[ALL, ""]], "Which one");
    this.window = this.#select(WINDOWS, "How long", "300");
    this.group.addEventListener("change", () => { this.one.value = ""; });
    for (const select of [this.group, this.one, this.window]) select.addEventListener("change", () => this.update());
    this.charts = {
      requests: new Chart("Requests a second", rate, 1), errors: new Chart("Errors a second", rate, 1),
      times: new Chart("How long they took", duration, 0.01, {powers: true}), active: new Chart("Connected clients", count, 4, {steps: WHOLE}),
      bytes: new Chart("Bytes a second", bytes, 1024, {steps: BINARY}), hits: new Chart("From the cache", percent, 1),
      cpu: new Chart("CPU", percent, 0.1), lag: new Chart("Lag of the loop", duration, 0.005),
    };
    const looks = el("div", {class: "controls"}, this.group, this.one, this.window);
    this.element = el("section", {}, el("div", {class: "tiles"}, ...tiles), looks,
      el("div", {class: "charts"}, ...Object.values(this.charts).map((chart) => chart.element)));
  }

  #select(options, about, value) {
    const select = el("select", {"aria-label": about}, ...options.map(([text, named]) => el("option", {value: String(named)}, text)));
    if (value !== undefined) select.value = value;
    return select;
  }

  forget() {
    for (const chart of Object.values(this.charts)) chart.forget();
  }

  update() {
    const status = this.history.status;
    if (status === null) return;
    this.#tell(status);
    const window = Number(this.window.value), group = this.group.value;
    const samples = this.history.last(window);
    this.times = samples.map((sample) => sample.time);
    this.span = window;
    const names = this.#names(status, group);
    this.#offer(names);
    const chosen = names.includes(this.one.value) ? [this.one.value] : names;
    this.#requests(samples, group, chosen);
    this.#times(samples, group, chosen);
    this.#process(samples, status);
  }

  #names(status, group) {
    if (group === "listeners") return status.listeners.map((one) => one.name);
    if (group === "pools") return status.pools.map((one) => one.name);
    return Object.entries(status.upstreams).flatMap(([pool, found]) => found.map((one) => `${pool} ${one.name}`));
  }

  #offer(names) {
    const there = [...this.one.options].slice(1).map((option) => option.value);
    if (there.length === names.length && there.every((name, number) => name === names[number])) return;
    const chosen = this.one.value;
    this.one.replaceChildren(el("option", {value: ""}, ALL), ...names.map((name) => el("option", {value: name}, name)));
    this.one.value = names.includes(chosen) ? chosen : "";
  }

  #requests(samples, group, chosen) {
    const {requests, errors, active, bytes: sizes} = this.charts;
    this.#draw(requests, this.#lines(samples, group, chosen, (one) => one.requests));
    this.#draw(active, this.#lines(samples, group, chosen, (one) => one.active));
    setText(active.element.querySelector("figcaption span"), group === "listeners" ? "Connected clients" : "Requests at work");
    sizes.element.hidden = group !== "listeners";
    const total = (value) => samples.map((sample) => added(sample[group], chosen, value));
    if (group === "listeners") {
      this.#draw(errors, [
        {name: "4xx", values: total((one) => one.classes["4xx"]), colour: "warn"},
        {name: "5xx", values: total((one) => one.classes["5xx"]), colour: "bad"},
        {name: "no answer", values: total((one) => one.classes.none), colour: "odd"},
      ]);
      this.#draw(sizes, [
        {name: "to clients", values: total((one) => one.sent)}, {name: "from clients", values: total((one) => one.received)},
      ]);
    } else {
      this.#draw(errors, this.#lines(samples, group, chosen, (one) => one.failures));
    }
    errors.say(group === "listeners" ? "" : "as counts for an ejection");
  }

  // A line for each, or for the largest of them and one for all others.
  #lines(samples, group, names, value) {
    const made = names.map((name) => ({name, values: samples.map((sample) => sample[group]?.[name] === undefined ? null : value(sample[group][name]))}));
    if (made.length <= MOST_LINES) return made;
    const size = new Map(made.map((one) => [one, one.values.reduce((sum, more) => sum + (more ?? 0), 0)]));
    const large = new Set([...made].sort((one, other) => size.get(other) - size.get(one)).slice(0, MOST_LINES - 1));
    const others = made.filter((one) => !large.has(one)).map((one) => one.name);
    return [...made.filter((one) => large.has(one)), {
      name: `${others.length} others`, values: samples.map((sample) => added(sample[group], others, value)), colour: "odd",
    }];
  }

  #times(samples, group, chosen) {
    const counts = running(samples, (sample) => chosen.reduce(
      (sums, name) => sums.map((sum, place) => sum + (sample[group][name]?.times[place] ?? 0)), new Array(16).fill(0)), SMOOTH);
    const line = (name, share, colour) => ({name, colour, values: counts.map((one) => (one === null ? null : quantile(share, one)))});
    this.#draw(this.charts.times, [line("p50", 0.5, "series-2"), line("p95", 0.95, "series-0"), line("p99", 0.99, "warn")]);
    this.charts.times.say("of 10 s each");
  }

  #process(samples, status) {
    const workers = status.workers.map((one) => `worker ${one.worker ?? 1}`);
    this.#draw(this.charts.cpu, this.#lines(samples, "workers", workers, (one) => one.cpu));
    this.#draw(this.charts.lag, this.#lines(samples, "workers", workers, (one) => one.lag));
    const looked = status.listeners.some((one) => Object.keys(one.cache).length);
    this.charts.hits.element.hidden = this.tiles.hits.element.hidden = !looked;
    if (!looked) return;
    const names = status.listeners.map((one) => one.name);
    const hits = samples.map((sample) => added(sample.listeners, names, (one) => one.hits));
    const all = samples.map((sample) => added(sample.listeners, names, (one) => one.looked));
    this.#draw(this.charts.hits, [{name: "of requests that it may answer", values: hits.map((number, place) => (all[place] ? number / all[place] : null))}]);
  }

  #draw(chart, series) {
    chart.update(this.times, series, this.span);
  }

  // The figures, of the last seconds.
  #tell(status) {
    const samples = this.history.last(SMOOTH).filter((sample) => sample.listeners);
    const mean = (value) => (samples.length ? samples.reduce((sum, sample) => sum + value(sample), 0) / samples.length : null);
    const all = (value) => (sample) => added(sample.listeners, null, value) ?? 0;
    const requests = mean(all((one) => one.requests)), looked = mean(all((one) => one.looked));
    const counts = running(samples, (sample) => Object.values(sample.listeners).reduce(
      (sums, one) => sums.map((sum, place) => sum + one.times[place]), new Array(16).fill(0)), SMOOTH).pop();
    const failed = mean(all((one) => one.classes["5xx"] + one.classes.none));
    const told = {
      requests: rate(requests), errors: requests ? percent(failed / requests) : "–",
      p95: counts ? duration(quantile(0.95, counts)) : "–",
      clients: count(status.listeners.reduce((sum, one) => sum + one.connections, 0)),
      active: count(status.pools.reduce((sum, one) => sum + one.active, 0)),
      cpu: percent(mean((sample) => Object.values(sample.workers).reduce((sum, one) => sum + one.cpu, 0))),
      memory: bytes(status.workers.reduce((sum, one) => sum + (one.memory ?? 0), 0)),
      hits: looked ? percent(mean(all((one) => one.hits)) / looked) : "–",
    };
    for (const [name, text] of Object.entries(told)) setText(this.tiles[name].value, text);
    this.tiles.errors.element.classList.toggle("bad", Boolean(requests) && failed / requests > 0.05);
    this.tiles.cpu.element.title = many(status.workers.length, "worker", "workers");
  }
}

// The figures of some of these (or of all) together; null in a gap.
function added(found, names, value) {
  if (found === undefined) return null;
  return (names ?? Object.keys(found)).reduce((sum, name) => sum + (found[name] === undefined ? 0 : value(found[name])), 0);
}
