// Puts it together: what is heard goes to the parts of the page, of which one is shown.

import {Api} from "./api.js";
import {say} from "./dialogs.js";
import {el, setClass, setText} from "./dom.js";
import {Configuration} from "./configuration.js";
import {Exchanges} from "./exchanges.js";
import {Failures} from "./failures.js";
import {count} from "./format.js";
import {History} from "./history.js";
import {Limits} from "./limits.js";
import {Live} from "./live.js";
import {Login} from "./login.js";
import {News} from "./news.js";
import {Overview} from "./overview.js";
import {Questions} from "./questions.js";
import {beginTheme} from "./theme.js";
import {Upstreams} from "./upstreams.js";

const context = {api: new Api(), history: new History()};
const news = new News();
const panels = {
  overview: ["Overview", new Overview(context)], upstreams: ["Upstreams", new Upstreams(context)],
  requests: ["At work", new Exchanges(context)], failed: ["Failed", new Failures(context)],
  limits: ["Limits", new Limits(context)], questions: ["Questions", new Questions(context)],
  configuration: ["Configuration", new Configuration(context)], news: ["News", news],
};
const find = (id) => document.getElementById(id);
const tabs = {}, badges = {};
let shown = "", unread = 0;

for (const [name, [title, panel]] of Object.entries(panels)) {
  badges[name] = el("b", {class: "badge", hidden: true});
  tabs[name] = el("a", {href: `#${name}`}, title, badges[name]);
  find("tabs").append(tabs[name]);
  panel.element.hidden = true;
  panel.element.id = `panel-${name}`;
  find("panels").append(panel.element);
}
const live = new Live(context.api, {status: seen, event: happened, state: became});
const login = new Login(context.api, () => live.retry());
find("panels").append(login.element);

function show() {
  const name = location.hash.slice(1) in panels ? location.hash.slice(1) : "overview";
  if (name !== shown && shown !== "") panels[shown][1].element.hidden = true;
  shown = name;
  for (const [other, tab] of Object.entries(tabs)) tab.setAttribute("aria-current", other === name ? "page" : "false");
  if (!login.element.hidden) return;
  if (name === "news") badge("news", unread = 0);
  panels[name][1].element.hidden = false;
  if (context.history.status === null) return;
  panels[name][1].shown?.();
  panels[name][1].update();
}

function badge(name, number) {
  badges[name].hidden = !number;
  setText(badges[name], number ? count(number) : "");
}

function seen(status) {
  context.history.add(status, Date.now());
  tell(status);
}

// What was done here is seen at once, and not only with the next second.
async function look() {
  try {
    context.history.status = await context.api.get("/api/status");
    tell(context.history.status);
  } catch {
    // Then it is seen with the next second.
  }
}

function tell(status) {
  setText(find("stage"), status.stage);
  setClass(find("stage"), `state ${status.stage === "serving" ? "healthy" : "draining"}`);
  setText(find("revision"), `revision ${status.revision}`);
  badge("questions", status.questions.length);
  badge("upstreams", Object.values(status.upstreams).flat().filter((one) => ["failing", "unhealthy", "ejected"].includes(one.state)).length);
  if (!document.hidden) panels[shown][1].update();
}

function happened(kind, told) {
  const text = news.add(kind, told);
  if (text === null) return;
  if (shown !== "news") badge("news", unread += 1);
  if (kind === "question" || kind === "stage") say(text);
}

// The stream is live, lost, or wants a token.
function became(state, text) {
  const lost = find("lost");
  lost.hidden = state !== "lost";
  setText(lost, text);
  document.body.classList.toggle("stale", state === "lost");
  if (state === "login") {
    for (const [, panel] of Object.values(panels)) panel.element.hidden = true;
    login.show(text);
  } else if (!login.element.hidden && state === "live") {
    login.hide();
    show();
  }
  if (state === "live") return;
  context.history.gap();
  setText(find("stage"), state === "lost" ? "no answer" : "");
  setClass(find("stage"), state === "lost" ? "state unhealthy" : "state");
}

setText(find("place"), location.host);
beginTheme(find("theme"), () => {
  panels.overview[1].forget();
  if (shown === "overview" && context.history.status !== null) panels.overview[1].update();
});
addEventListener("hashchange", show);
document.addEventListener("acted", look);
document.addEventListener("visibilitychange", () => { if (!document.hidden) show(); });
show();
live.run();
