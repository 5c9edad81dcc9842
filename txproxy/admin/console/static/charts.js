// Lines over time, drawn by uPlot.

import {el, setText} from "./dom.js";

const COLOURS = 8;
const HEIGHT = 150;

function colour(name) {
  // What a custom property means just now, in this theme, an element knows whose colour it is.
  const probe = el("i", {class: `probe ${name}`, hidden: true});
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// A chart with a title. format makes text of a value; at least so much is shown, so that noise stays small; steps are those
// between the marks of its scale, where they are not to be decimal, and powers says that the scale is one of powers of ten.
export class Chart {
  constructor(title, format, least = 1, {steps = undefined, powers = false} = {}) {
    this.format = format;
    this.least = least;
    this.steps = steps;
    this.powers = powers;
    this.plot = null;
    this.labels = "";
    this.note = el("span", {class: "note"});
    this.place = el("div", {class: "plot"});
    this.legend = el("ul", {class: "legend"});
    this.element = el("figure", {class: "chart"}, el("figcaption", {}, el("span", {}, title), this.note), this.place, this.legend);
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.place);
  }

  // series: [{name, values, colour}]; colour is a name of the style sheet, or missing for the next one.
  update(times, series, window) {
    const labels = series.map((one) => one.name).join("\n");
    if (this.plot === null || labels !== this.labels) this.#make(series, labels);
    this.window = window;
    this.plot.setData([times.map((time) => time / 1000), ...series.map((one) => one.values)]);
    this.#tell(this.plot.cursor.idx ?? null);
  }

  say(note) {
    setText(this.note, note);
  }

  // The theme is another: colours are read again at the next update.
  forget() {
    this.labels = null;
  }

  #make(series, labels) {
    if (this.plot !== null) this.plot.destroy();
    this.labels = labels;
    this.window ??= 300;
    const grid = {stroke: colour("line"), width: 1}, text = colour("muted");
    const axis = {stroke: text, grid, ticks: {show: false}, font: "11px system-ui, sans-serif"};
    this.keys = series.map((one, number) => {
      const shade = colour(one.colour ?? `series-${number % COLOURS}`);
      const value = el("b");
      const mark = el("i", {class: "mark"});
      mark.style.background = shade;
      return {shade, value, item: el("li", {title: one.name}, mark, el("span", {}, one.name), value)};
    });
    const marks = this.powers ? {splits: (plot, place, low, high) => decades(low, high), filter: (plot, found) => found} : {};
    this.legend.replaceChildren(...this.keys.map((key) => key.item));
    this.plot = new uPlot({
      width: this.place.clientWidth || 300, height: HEIGHT, legend: {show: false}, padding: [8, 18, 0, 0],
      cursor: {sync: {key: "time"}, y: false, points: {size: 5}, drag: {x: false, y: false}},
      scales: {
        x: {time: true, range: () => [Date.now() / 1000 - this.window, Date.now() / 1000]},
        y: this.powers
          ? {distr: 3, range: (plot, low, high) => [decade(low ?? this.least, Math.floor), decade(Math.max(high ?? 0, this.least), Math.ceil)]}
          : {range: (plot, low, high) => [0, Math.max(this.least, (high ?? 0) * 1.1)]},
      },
      axes: [
        {...axis, size: 22, gap: 2, space: 60, values: (plot, marks) => marks.map((mark) => at(mark))},
        {...axis, size: 56, gap: 4, space: 34, incrs: this.steps, ...marks, values: (plot, marks) => marks.map((mark) => (mark === null ? null : this.format(mark)))},
      ],
      series: [{}, ...this.keys.map((key, number) => ({
        label: series[number].name, stroke: key.shade, width: 1.5, points: {show: false}, spanGaps: false,
        fill: series.length === 1 ? key.shade.replace("rgb(", "rgba(").replace(")", ", 0.1)") : undefined,
      }))],
      hooks: {setCursor: [(plot) => this.#tell(plot.cursor.idx ?? null)]},
    }, [[], ...series.map(() => [])], this.place);
  }

  // The figures below it: those at the cursor, or the last.
  #tell(place) {
    if (this.plot === null) return;
    const last = this.plot.data[0].length - 1;
    const left = this.plot.cursor.left ?? -1;
    const shown = left >= 0 && place !== null ? place : last;
    this.keys.forEach((key, number) => {
      const value = shown >= 0 ? this.plot.data[number + 1][shown] : null;
      setText(key.value, value === null || value === undefined ? "–" : this.format(value));
    });
  }

  #fit() {
    const width = this.place.clientWidth;
    if (this.plot !== null && width && width !== this.plot.width) this.plot.setSize({width, height: HEIGHT});
  }
}

// The power of ten at a value, or next to it.
function decade(value, rounded) {
  return 10 ** rounded(Math.log10(value));
}

function decades(low, high) {
  const first = Math.round(Math.log10(low)), last = Math.round(Math.log10(high));
  // Every second one where there are many.
  const step = last - first > 4 ? 2 : 1;
  return Array.from({length: Math.floor((last - first) / step) + 1}, (none, place) => 10 ** (first + place * step));
}

function at(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", seconds % 60 ? {} : {hour: "2-digit", minute: "2-digit"});
}
