// Who is connected, and what is at work for whom: where it is, since when, and an end of it.

import {act, ask} from "./dialogs.js";
import {part} from "./api.js";
import {button, el, setText, Table} from "./dom.js";
import {age, bytes, many} from "./format.js";
import {showWay} from "./way.js";

const MOST = 200;

export class Exchanges {
  constructor(context) {
    this.context = context;
    this.busy = el("input", {type: "checkbox", checked: true});
    this.words = el("input", {type: "search", placeholder: "client, URL, route, upstream", "aria-label": "Only those with these words"});
    this.about = el("span", {class: "about"});
    this.table = new Table([
      {title: "Client", kind: "", text: (one) => one.client + (one.user ? ` (${one.user})` : "")},
      {title: "Listener", kind: "", text: (one) => one.listener},
      {title: "Request", kind: "wide", text: (one) => one.request},
      {title: "Route", kind: "", text: (one) => one.route ?? "–"},
      {title: "Upstream", kind: "", text: (one) => one.upstream ?? "–"},
      {title: "State", kind: "", text: (one) => one.phase},
      {title: "Status", kind: "number", text: (one) => one.status ?? "–"},
      {title: "Age", kind: "number", text: (one) => age(one.age)},
      {title: "In", kind: "number", text: (one) => bytes(one.received)},
      {title: "Out", kind: "number", text: (one) => bytes(one.sent)},
      {title: "", kind: "acts", make: (item) => this.#acts(item), show: (acts, one) => acts.show(one)},
    ], "Nothing is at work just now.", (one) => one.id);
    const controls = el("div", {class: "controls"}, el("label", {class: "check"}, this.busy, "only those with something at work"), this.words, this.about);
    this.element = el("section", {}, controls, this.table.element);
    this.busy.addEventListener("change", () => this.load());
    this.words.addEventListener("input", () => this.#show());
    this.found = {connections: [], complete: true};
    this.loading = false;
  }

  // Each other second, while this is looked at.
  update() {
    this.count = (this.count ?? 0) + 1;
    if (this.count % 2) this.load();
  }

  shown() {
    this.load();
  }

  async load() {
    if (this.loading) return;
    this.loading = true;
    try {
      this.found = await this.context.api.get(`/api/connections?busy=${this.busy.checked ? 1 : 0}&limit=${MOST}`);
      this.#show();
    } catch (fault) {
      setText(this.about, fault.message);
    } finally {
      this.loading = false;
    }
  }

  #show() {
    const rows = this.found.connections.flatMap(lines);
    const words = this.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = rows.filter((row) => words.every((word) => row.text.includes(word)));
    wanted.sort((one, other) => (other.age ?? -1) - (one.age ?? -1));
    this.table.update(wanted);
    setText(this.table.empty, rows.length ? "None of them has these words." : this.busy.checked ? "Nothing is at work just now." : "Nobody is connected.");
    const more = this.found.complete ? "" : `, the first of more than ${MOST} connections`;
    setText(this.about, `${many(wanted.length, "line", "lines")}${more}`);
  }

  #acts(item) {
    const end = button("End", async () => {
      const one = item();
      const what = one.exchange ? "request" : "connection";
      const lines = [`${one.client}: ${one.request}`, one.exchange ? "Its client gets 403, or half an answer where that has begun." : "It is closed at once."];
      if (await ask({title: `End this ${what}?`, lines, confirm: "End", danger: true})) {
        const path = `/api/${one.exchange ? "exchanges" : "connections"}/${part(one.id)}`;
        await act("It is ended.", () => this.context.api.ask("DELETE", path));
        this.load();
      }
    });
    const way = button("Way", () => this.#way(item()));
    const acts = el("div", {class: "buttons"}, way, end);
    acts.show = (one) => { way.hidden = !one.exchange; };
    return acts;
  }

  async #way(one) {
    try {
      const found = await this.context.api.get(`/api/exchanges?client=${part(one.client)}&limit=10000`);
      const exchange = found.exchanges.find((other) => other.id === one.id);
      await showWay(exchange ?? null);
    } catch (fault) {
      setText(this.about, fault.message);
    }
  }
}

// A line for each exchange, or for a connection that has none.
function lines(connection) {
  const idle = {
    id: connection.id, exchange: false, client: connection.client, user: null, listener: connection.listener, request: "–",
    route: null, upstream: null, phase: connection.state, status: null, age: null, received: null, sent: null,
  };
  const exchanges = connection.exchanges.map((one) => ({
    ...one, exchange: true, listener: connection.listener, request: [one.method, one.url].filter(Boolean).join(" ") || "–",
  }));
  return (exchanges.length ? exchanges : [idle]).map((row) => ({
    ...row, text: [row.client, row.user, row.listener, row.request, row.route, row.upstream, row.phase].join(" ").toLowerCase(),
  }));
}
