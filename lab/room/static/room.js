// Takes in what has changed, sends forms without leaving the page, and shows the command of each.
// The page is complete without it; it draws nothing by itself.
"use strict";

const texts = new Map(), states = new Map(), waiting = new Map();
let pressed = false, stream = null;
let lost = "";  // the id of what had the focus when it vanished: a worker that died comes back

const live = document.getElementById("live");
const said = document.getElementById("said");

const writeText = (key, root) => {
  for (const each of root.querySelectorAll(`[data-t="${CSS.escape(key)}"]`)) {
    if (each.textContent !== texts.get(key)) each.textContent = texts.get(key);
  }
};
const writeState = (key, root) => {
  for (const each of root.querySelectorAll(`[data-k="${CSS.escape(key)}"]`)) {
    each.dataset.s = states.get(key);
  }
};

// A piece is drawn anew; what was open, scrolled or focused in it stays so.
const draw = (id, html) => {
  const piece = document.getElementById(id);
  if (!piece) return;
  const focused = piece.contains(document.activeElement) ? document.activeElement.id : "";
  const unfolded = new Map([...piece.querySelectorAll("details[id]")].map(d => [d.id, d.open]));
  const scrolled = new Map([...piece.querySelectorAll("pre[id]")].map(p =>
    [p.id, p.scrollTop + p.clientHeight < p.scrollHeight - 4 ? p.scrollTop : null]));
  piece.innerHTML = html;
  for (const key of texts.keys()) writeText(key, piece);
  for (const key of states.keys()) writeState(key, piece);
  for (const [each, open] of unfolded) {
    const found = document.getElementById(each);
    if (found) found.open = open;
  }
  for (const each of piece.querySelectorAll("pre[id]")) {
    each.scrollTop = scrolled.get(each.id) ?? each.scrollHeight;
  }
  const back = focused || (document.activeElement === document.body ? lost : "");
  const found = back && document.getElementById(back);
  if (found && piece.contains(found)) found.focus();
  else if (focused) lost = focused;
};
addEventListener("focusin", () => { lost = ""; });

// A button must not vanish between press and release.
const drawWaiting = () => {
  if (pressed) return;
  for (const [id, html] of waiting) draw(id, html);
  waiting.clear();
};
addEventListener("pointerdown", () => { pressed = true; });
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, () => setTimeout(() => { pressed = false; drawWaiting(); }, 0));
}

const takeIn = change => {
  if (change.go) {
    stream.close();
    location.assign(change.go);
    return;
  }
  for (const [key, text] of Object.entries(change.texts ?? {})) {
    texts.set(key, text);
    writeText(key, document);
  }
  for (const [key, state] of Object.entries(change.states ?? {})) {
    states.set(key, state || "ok");
    writeState(key, document);
  }
  for (const [id, html] of Object.entries(change.pieces ?? {})) waiting.set(id, html);
  drawWaiting();
};

const listen = () => {
  stream = new EventSource("stream");
  stream.onopen = () => { live.className = "on"; live.textContent = "Live"; };
  stream.onmessage = event => takeIn(JSON.parse(event.data));
  stream.onerror = () => {
    live.className = "off";
    live.textContent = stream.readyState === EventSource.CLOSED
      ? "The lab does not answer any more" : "Not live: the lab does not answer; trying again";
  };
};

const say = (text, refused) => {
  if (!said) return;
  said.className = refused ? "refused" : "";
  said.textContent = text;
};

const send = async (action, fields) => {
  try {
    const answer = await fetch(action, {
      method: "POST", body: new URLSearchParams(fields), headers: {accept: "application/json"},
    });
    const told = await answer.json();
    say(answer.ok ? `$ ${told.command}` : told.why, !answer.ok);
  } catch {
    say("The lab does not answer.", true);
  }
};

addEventListener("submit", event => {
  const form = event.target;
  event.preventDefault();
  send(form.getAttribute("action"), new FormData(form));
});

// A worker in the picture is a link to the list of workers; pressed, it is killed.
addEventListener("click", event => {
  const worker = event.target.closest?.("[data-kill]");
  if (!worker) return;
  event.preventDefault();
  const index = worker.dataset.kill.split("-").pop();
  send("do/strike", {fault: "worker-killed", seconds: "5", "worker-killed.index": index});
});

// The command of a form, as it stands: the lab itself says what that is.
const preview = async form => {
  const shown = form.querySelector("[data-command]");
  if (!shown) return;
  const query = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(`command/${shown.dataset.command}?${query}`);
    const told = await answer.json();
    shown.textContent = answer.ok ? told.command : told.why;
  } catch { /* the state of the line to the lab is shown above */ }
};
addEventListener("input", event => {
  const form = event.target.form;
  if (!form) return;
  if (event.target.id === "fault") {
    for (const each of form.querySelectorAll(".of-fault")) {
      each.hidden = each.dataset.fault !== event.target.value;
    }
  }
  preview(form);
});

listen();
