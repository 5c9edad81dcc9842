// Which configurations have run, what each has changed, and back to one; a reload, and how much is logged.

import {act, ask} from "./dialogs.js";
import {button, el, setText, Table} from "./dom.js";

const LEVELS = ["debug", "info", "warn", "error", "critical"];

export class Configuration {
  constructor(context) {
    this.context = context;
    this.table = new Table([
      {title: "Revision", kind: "time", text: (one) => one.number},
      {title: "Since", kind: "time", text: (one) => new Date(one.at).toLocaleString("en-GB")},
      {title: "By", kind: "wide", text: (one) => one.by},
      {title: "", kind: "", make: () => el("span", {class: "state"}), show: (cell, one) => { cell.className = one.runs ? "state healthy" : ""; setText(cell, one.runs ? "runs" : ""); }},
      {title: "", kind: "acts", make: (item) => this.#acts(item), show: (acts, one) => acts.show(one)},
    ], "No configuration is known.", (one) => one.number);
    this.level = el("select", {id: "level"}, ...LEVELS.map((level) => el("option", {value: level}, level)));
    this.configured = el("span", {class: "about"});
    this.level.addEventListener("change", () => this.#setLevel());
    const reload = button("Reload", () => this.#reload(), "main");
    const write = button("Write changes into the file", () => this.#persist());
    this.element = el("section", {},
      el("div", {class: "controls"}, reload, write, el("label", {class: "check", for: "level"}, "log level", this.level), this.configured), this.table.element);
    this.seen = null;
    this.numbers = [];
    // how often the level was chosen: what was asked before the last time is out of date
    this.chosen = 0;
  }

  update() {
    const revision = this.context.history.status.revision;
    if (revision !== this.seen) this.load();
  }

  shown() {
    this.load();
  }

  async load() {
    try {
      const {revisions} = await this.context.api.get("/api/revisions");
      this.table.update([...revisions].reverse());
      this.numbers = revisions.map((one) => one.number);
      this.seen = this.context.history.status?.revision ?? null;
      const chosen = this.chosen;
      const log = await this.context.api.get("/api/log");
      if (chosen === this.chosen) this.#level(log);
    } catch (fault) {
      setText(this.configured, fault.message);
    }
  }

  #level(log) {
    this.level.value = log.level;
    setText(this.configured, log.level === log.configured ? "" : `the configuration says ${log.configured}`);
  }

  async #setLevel() {
    this.chosen += 1;
    const log = await act((done) => `The log level is ${done.level}.`, () => this.context.api.ask("PATCH", "/api/log", {level: this.level.value}));
    if (log === null) this.load();
    else this.#level(log);
  }

  async #reload() {
    const lines = ["The file is read again, and takes the place of what runs if it is sound. No request is lost."];
    if (await ask({title: "Read the configuration again?", lines, confirm: "Reload"})) this.#done("/api/reload");
  }

  async #persist() {
    const lines = ["What was changed of pools, of upstreams and of the log level goes into the file, with its comments and its layout."];
    if (!await ask({title: "Write what was changed into the file?", lines, confirm: "Write"})) return;
    const done = await act((answer) => `Revision ${answer.revision} runs.`, () => this.context.api.ask("POST", "/api/persist"));
    if (done === null) return;
    const told = done.changes.length ? el("pre", {}, done.changes.join("\n")) : "Nothing was changed.";
    const left = done.left.length ? ["The file cannot say this:", el("pre", {}, done.left.join("\n"))] : [];
    await ask({title: "What was written", lines: [told, ...left], confirm: "Close", wide: true});
    this.load();
  }

  async #done(path) {
    const done = await act((answer) => `Revision ${answer.revision} runs.`, () => this.context.api.ask("POST", path));
    if (done !== null && done.warnings.length) {
      await ask({title: `Revision ${done.revision} runs`, lines: ["Something in it is doubtful:", el("pre", {}, done.warnings.join("\n"))], confirm: "Close", wide: true});
    }
    this.load();
  }

  #acts(item) {
    const changes = button("Changes", async () => {
      const one = await this.#diff(item().number);
      if (one) await ask({title: `What revision ${one.number} has changed`, lines: [shown(one.diff)], confirm: "Close", wide: true});
    });
    const back = button("Roll back", async () => {
      const number = item().number;
      const later = this.numbers.filter((one) => one > number).sort((one, other) => other - one);
      const since = await Promise.all(later.map((one) => this.#diff(one)));
      if (since.includes(null)) return;
      const lines = ["The file as it was then takes the place of what runs. The file itself is left as it is: the next reload reads that.",
        "This has changed since, and is undone:", ...since.flatMap((one) => [el("h3", {}, `Revision ${one.number}, by ${one.by}`), shown(one.diff)])];
      if (await ask({title: `Back to revision ${number}?`, lines, confirm: "Roll back", danger: true, wide: true})) {
        this.#done(`/api/revisions/${number}/apply`);
      }
    });
    const acts = el("div", {class: "buttons"}, changes, back);
    acts.show = (one) => { back.hidden = one.runs; };
    return acts;
  }

  async #diff(number) {
    try {
      return await this.context.api.get(`/api/revisions/${number}`);
    } catch (fault) {
      setText(this.configured, fault.message);
      return null;
    }
  }
}

// A difference, each line in its colour.
function shown(diff) {
  if (!diff) return el("p", {class: "empty"}, "Nothing in the file.");
  const kinds = {"+": "added", "-": "removed", "@": "where"};
  return el("pre", {class: "diff"}, ...diff.split("\n").map((line) => el("span", {class: kinds[line[0]] ?? ""}, `${line}\n`)));
}
