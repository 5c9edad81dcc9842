// Reads the stream of events, and begins anew where that ends.

import {Fault} from "./api.js";

const MOST_PAUSE = 10;
// So many seconds without a word, where one is due each second, and the stream is given up.
const SILENCE = 12;

export class Live {
  // told: {status(status), event(kind, told), state(name, text)}; name is one of live, lost, login.
  constructor(api, told) {
    this.api = api;
    this.told = told;
    this.pause = 1;
    this.wake = null;
  }

  async run() {
    for (;;) {
      const fault = await this.#read();
      if (fault === null) {
        // It goes on elsewhere, or as something else: as when a drain begins.
        await new Promise((resolve) => setTimeout(resolve, 1000));
      } else if (fault.status === 401) {
        this.told.state("login", this.api.token === null ? "" : "This token is not accepted.");
        await new Promise((resolve) => { this.wake = resolve; });
      } else {
        await this.#wait(fault);
      }
    }
  }

  // Try again now.
  retry() {
    this.pause = 1;
    if (this.wake !== null) this.wake();
  }

  async #read() {
    const giving = new AbortController();
    let timer = 0, heard = false;
    const due = () => {
      clearTimeout(timer);
      timer = setTimeout(() => giving.abort(), SILENCE * 1000);
    };
    try {
      due();
      for await (const [kind, told] of this.api.events("/api/events", giving.signal)) {
        due();
        if (kind === "status") {
          this.pause = 1;
          heard = true;
          this.told.state("live", "");
          this.told.status(told);
        } else if (kind !== "") {
          this.told.event(kind, told);
        }
      }
      return heard ? null : new Fault(0, "The proxy has ended the connection.");
    } catch (fault) {
      return fault instanceof Fault ? fault : new Fault(0, "The admin API says nothing any more.");
    } finally {
      clearTimeout(timer);
      giving.abort();
    }
  }

  async #wait(fault) {
    for (let left = this.pause; left > 0; left -= 1) {
      this.told.state("lost", `${fault.message} What stands here is as it was. Next try in ${left} s.`);
      const woken = await new Promise((resolve) => {
        this.wake = () => resolve(true);
        setTimeout(() => resolve(false), 1000);
      });
      if (woken) return;
    }
    this.pause = Math.min(this.pause * 2, MOST_PAUSE);
  }
}
