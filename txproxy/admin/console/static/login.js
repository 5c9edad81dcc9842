// Asks for the token.

import {el, setText} from "./dom.js";

export class Login {
  constructor(api, retry) {
    this.input = el("input", {type: "password", autocomplete: "current-password", id: "token", spellcheck: "false"});
    this.why = el("p", {class: "bad"});
    const form = el("form", {class: "login"}, el("h2", {}, "Who asks?"),
      el("p", {}, "This proxy answers whoever shows its token: what is in the file that token_file of [admin], or --admin-token-file, names. It is kept until this tab is closed."),
      el("label", {for: "token"}, el("span", {}, "Token"), this.input), this.why, el("button", {type: "submit", class: "main"}, "Go on"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.input.value.trim();
      // What no field of a head can have is no token.
      if (!/^[\x21-\x7e]+$/.test(token)) {
        setText(this.why, "A token has no spaces, and plain characters alone.");
        return;
      }
      api.token = token;
      this.input.value = "";
      retry();
    });
    this.element = el("section", {hidden: true}, form);
  }

  show(why) {
    setText(this.why, why);
    if (this.element.hidden) {
      this.element.hidden = false;
      this.input.focus();
    }
  }

  hide() {
    this.element.hidden = true;
  }
}
