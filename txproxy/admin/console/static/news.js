// What has happened while this page was open, the newest first.

import {el} from "./dom.js";
import {clock} from "./format.js";

const MOST = 200;

export class News {
  constructor() {
    this.list = el("ol", {class: "news"});
    this.empty = el("p", {class: "empty"}, "Nothing has changed since this page was opened.");
    this.element = el("section", {}, this.empty, this.list);
  }

  update() {
    // It is told of each as it comes.
  }

  // One event; gives its line where a person should see it at once.
  add(kind, told) {
    const [text, mood] = line(kind, told);
    if (text === null) return null;
    this.empty.hidden = true;
    this.list.prepend(el("li", {class: mood}, el("time", {}, clock(Date.now())), el("span", {}, text)));
    while (this.list.children.length > MOST) this.list.lastChild.remove();
    return text;
  }
}

function line(kind, told) {
  if (kind === "upstream") {
    if (told.was === null) return [`${told.pool}: ${told.upstream} has come`, "good"];
    if (told.state === null) return [`${told.pool}: ${told.upstream} has gone`, "odd"];
    const mood = told.state === "healthy" ? "good" : told.state === "draining" || told.state === "disabled" ? "odd" : "bad";
    return [`${told.pool}: ${told.upstream} is ${told.state}${told.cause ? `: ${told.cause}` : ""}`, mood];
  }
  if (kind === "weight") return [`${told.pool}: ${told.upstream} has weight ${told.weight}, and had ${told.was}`, "odd"];
  if (kind === "reload") return [`Revision ${told.revision} runs`, "good"];
  if (kind === "stage") return [`The proxy is ${told.stage}`, told.stage === "serving" ? "good" : "bad"];
  if (kind === "question") return [`${told.rule} asks about ${told.method} ${told.url} of ${told.client}`, "odd"];
  if (kind === "failure") return [`${told.listener}: ${[told.method, told.url].filter(Boolean).join(" ") || "a stream"} of ${told.client}: ${[told.status, told.outcome, told.detail].filter(Boolean).join(", ")}`, "bad"];
  if (kind === "fault") return [told.error, "bad"];
  if (kind === "missed") return [`${told.events} events are left out: this page reads too slowly`, "bad"];
  return [null, ""];
}
