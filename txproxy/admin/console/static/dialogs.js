// Asks a person before something is done that hurts, and says what has come of it.

import {button, el} from "./dom.js";

// Shows a dialog with lines of text (or elements), and fields: [{name, title, value, type, hint, options}]. Gives what is in
// them once it is confirmed, or null. With refused (a text) there is a button to close it alone.
export function ask({title, lines = [], fields = [], confirm = "OK", danger = false, wide = false}) {
  return new Promise((resolve) => {
    const inputs = new Map();
    const dialog = el("dialog", {class: wide ? "wide" : ""});
    const form = el("form", {}, el("h2", {}, title), ...lines.map((line) => (line instanceof Node ? line : el("p", {}, line))));
    for (const field of fields) form.append(labelled(field, inputs));
    let answer = null;
    const yes = el("button", {type: "submit", class: danger ? "danger" : "main"}, confirm);
    const no = confirm === "Close" ? null : button("Cancel", () => dialog.close());
    form.append(el("div", {class: "choices"}, no, yes));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      answer = Object.fromEntries([...inputs].map(([name, input]) => [name, input.type === "checkbox" ? input.checked : input.value]));
      dialog.close();
    });
    dialog.append(form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    const first = fields.length ? inputs.get(fields[0].name) : danger ? no : yes;
    if (first) first.focus();
  });
}

function labelled(field, inputs) {
  const input = field.options
    ? el("select", {}, ...field.options.map((option) => el("option", {}, option)))
    : el("input", {type: field.type ?? "text", autocomplete: "off", spellcheck: "false", placeholder: field.hint, inputmode: field.inputmode});
  if (field.value !== undefined) input.value = field.value;
  inputs.set(field.name, input);
  return el("label", {}, el("span", {}, field.title), input);
}

export function say(text, kind = "") {
  const toast = el("p", {class: kind}, text);
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), kind === "bad" ? 12000 : 5000);
}

// Does something, and says what has come of it: done, or the words of the fault.
export async function act(done, doing) {
  try {
    const answer = await doing();
    say(typeof done === "function" ? done(answer) : done);
    document.dispatchEvent(new Event("acted"));
    return answer;
  } catch (fault) {
    if (fault.findings?.length) {
      await ask({
        title: "This cannot be done", wide: true, confirm: "Close",
        lines: [`${fault.message}.`, el("pre", {}, fault.findings.join("\n"))],
      });
    } else {
      say(fault.message, "bad");
    }
    return null;
  }
}
