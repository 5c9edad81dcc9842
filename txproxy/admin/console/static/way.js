// The whole way of one exchange: what matched, where it was sent and why, and what has become of it.

import {ask} from "./dialogs.js";
import {el} from "./dom.js";
import {bytes, duration} from "./format.js";

export function showWay(exchange) {
  if (exchange === null) return ask({title: "It is over", lines: ["This request is not at work any more."], confirm: "Close"});
  const request = [exchange.method, exchange.url].filter(Boolean).join(" ") || "a stream";
  const parts = [facts(exchange)];
  if (exchange.attempts.length) parts.push(el("h3", {}, "Where it was sent"), attempts(exchange.attempts));
  if (exchange.candidates.length) parts.push(el("h3", {}, `Who else there was in ${exchange.pool}`), candidates(exchange.candidates));
  return ask({title: request, lines: parts, confirm: "Close", wide: true});
}

// What came of an exchange, in few words.
export function outcome(exchange) {
  if (exchange.detail) return exchange.detail;
  const last = exchange.attempts.at(-1);
  if (last?.error) return [last.error, last.detail].filter(Boolean).join(": ");
  if (exchange.status >= 500) return last ? `${last.upstream} has answered so` : "answered without an upstream";
  return exchange.outcome ?? exchange.phase;
}

function facts(one) {
  const verdict = one.verdict && [one.verdict.outcome, one.verdict.rule && `by ${one.verdict.rule}`, one.verdict.list && `of the list ${one.verdict.list}`, one.verdict.reason];
  const rows = [
    ["Began", new Date(one.time).toLocaleString("en-GB")],
    ["Client", [one.client, one.user && `(${one.user})`, `at ${one.listener}`, one.protocol, one.tls].filter(Boolean).join(" ")],
    ["Request id", one.request_id], ["Trace", one.trace_id],
    ["Route", one.route],
    ["Verdict", verdict && verdict.filter(Boolean).join(", ")],
    ["Limit", one.limit && `${one.limit.name}: ${one.limit.outcome}`],
    ["Cache", one.cache],
    ["Answer", one.status === null ? (one.phase === "ended" ? "none" : "not yet") : `${one.status}${one.first_byte === null ? "" : `, from ${duration(one.first_byte)} on`}`],
    ["Outcome", [one.phase === "ended" ? one.outcome : one.phase, one.detail].filter(Boolean).join(": ")],
    ["Took", `${duration(one.seconds)}, ${bytes(one.received)} in, ${bytes(one.sent)} out`],
  ];
  return el("dl", {}, ...rows.filter(([, text]) => text).flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]));
}

function table(titles, rows) {
  const cells = (row) => row.map((text, number) => el("td", {label: titles[number]}, text ?? "–"));
  return el("div", {class: "table"}, el("table", {},
    el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", {scope: "col"}, title)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells(row))))));
}

function attempts(found) {
  return table(["Upstream", "From", "Connected", "Until", "Answer", "And then"], found.map((one) => [
    one.upstream + (one.address && !one.upstream.includes(one.address) ? ` (${one.address})` : ""), duration(one.began),
    one.reused ? "kept connection" : one.connected === null ? "no" : duration(one.connected),
    one.ended === null ? "still there" : duration(one.ended),
    one.error ? [one.error, one.detail].filter(Boolean).join(": ") : String(one.status ?? "none"), one.then,
  ]));
}

function candidates(found) {
  return table(["Upstream", "State", "Why not"], found.map((one) => [one.upstream, `${one.state}, for ${duration(one.age)}`, one.why]));
}
