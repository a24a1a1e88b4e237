// What is new about the queue: what it has still to give, and that it can be ranked anew with the decisions so far.

import { el, icon } from "./dom.js";
import { asksByItself, plural, wantsUpdate } from "./logic.js";

export class News {
  /** button(children, onPress, attributes) makes a button; on: {update(), show(runId)}; preferences: {updatesByItself}.
   *  The row is there before the first news is, so that the items below it stay where they are. */
  constructor({ button, on, preferences }) {
    Object.assign(this, { on, preferences });
    this.askedAt = 0;
    this.text = el("p", { class: "yield", "aria-live": "polite" });
    this.state = el("span", { class: "ranked" });
    this.update = button([icon("redo"), el("span", {}, "Update the queue")], () => this.ask(), {
      class: "update",
      title: "Train only a head on what the last run knows of each item, with the decisions so far: seconds. The page stays as it is until you ask for the new order.",
    });
    this.show = button(["Show it"], () => this.on.show(this.news.newer.run_id), { class: "main show" });
    this.byItself = button(["Keep updated"], () => this.toggle(), {
      class: "quiet",
      title: "Update in the background whenever enough has been decided",
    });
    this.root = el("div", { class: "row news" }, this.text, el("span", { class: "gap" }), this.state, this.show, this.update, this.byItself);
    this.show.hidden = true;
    this.update.disabled = true;
    this.paintByItself();
  }

  /** news: {text, n_since, offer_at, job, newer, problem}, as the server tells it. */
  paint(news) {
    this.news = news;
    this.text.textContent = news.text;
    this.text.title = news.text;
    this.state.textContent = stateText(news);
    this.state.title = news.problem;
    this.state.classList.toggle("problem", Boolean(news.problem));
    this.show.hidden = !news.newer;
    this.update.disabled = news.n_since === 0;
    this.update.hidden = Boolean(news.newer || news.job);
    this.update.classList.toggle("main", wantsUpdate(news));
    if (news.n_since < this.askedAt) this.askedAt = 0; // it has been ranked since
    if (this.preferences.updatesByItself && asksByItself(news, this.askedAt)) this.ask();
  }

  ask() {
    this.askedAt = this.news.n_since;
    this.on.update();
  }

  toggle() {
    this.preferences.updatesByItself = !this.preferences.updatesByItself;
    this.paintByItself();
    if (this.news) this.paint(this.news);
  }

  paintByItself() {
    this.byItself.setAttribute("aria-pressed", String(this.preferences.updatesByItself));
  }
}

function stateText({ n_since: nSince, job, newer, problem }) {
  if (problem) return problem;
  if (newer) return newer.text;
  if (job) return job;
  return nSince ? `${plural(nSince, "decision", "decisions")} since it was ranked` : "";
}
