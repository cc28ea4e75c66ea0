// Going somewhere: by a click, a key or the address. The address always says what is shown.

// quiet: what is shown stays where it is, only the address follows.
function go(target, { quiet = false } = {}) {
  const hash = hashOf(target);
  if (quiet) {
    history.replaceState(null, "", hash);
    state.range = target.range;
    return;
  }
  if (window.location.hash !== hash) history.pushState(null, "", hash);
  arrive();
}

// Shows what the address says; without one, the first step.
function arrive() {
  const target = targetOf(window.location.hash) || { index: state.index };
  if (target.index !== state.index) {
    state.index = target.index;
    Object.assign(state, { step: null, record: null, part: 0, range: null, key: null });
    build();
  }
  if (!state.key) mountKey(firstKey());
  if (target.record && recordOf(target.record)) return showRecord(target);
  if (target.step && stepOf(target.step)) return showStep(target);
  if (!state.step && !state.record) showStep({ step: firstStep() }, { still: true });
  if (target.key && keyOf(target.key)) return showKey(target.key);
  const section = target.section && document.getElementById(target.section);
  if (section) section.scrollIntoView();
  return undefined;
}

// Where it failed is where one wants to look.
function firstStep() {
  const steps = connection().steps;
  const wrong = steps.find((step) => !step.ok);
  return (wrong || steps[0] || { number: 0 }).number;
}

// After the page was built anew: what was shown before.
function restore() {
  mountKey(state.key || firstKey());
  if (state.record) showRecord({ record: state.record, range: state.range });
  else showStep({ step: state.step || firstStep(), part: state.part, range: state.range });
}

function showStep(target, { still = false } = {}) {
  const step = stepOf(target.step);
  if (!step) return;
  Object.assign(state, {
    step: step.number,
    record: null,
    part: target.part || 0,
    range: target.range || null,
  });
  mount(`step-${step.number}`, () => stepDetails(step), still);
  announce(`Step ${step.number}: ${actorOf(step)}, ${step.title}`);
}

function showRecord(target) {
  Object.assign(state, { step: null, record: target.record, range: target.range || null, part: 0 });
  mount(`record-${target.record}`, () => recordDetails(recordOf(target.record)), false);
  announce(recordName(recordOf(target.record)));
}

// The schedule begins with what the two agree on.
function firstKey() {
  const keys = connection().keys;
  const agreed = keys.find((key) => /^(?:shared|premaster|master)_secret$/.test(key.name));
  return (agreed || keys[0] || { id: null }).id;
}

// Puts a secret's details beside the graph; nothing moves.
function mountKey(id) {
  const key = id && keyOf(id);
  if (!key) return;
  state.key = id;
  markKey();
  const pane = document.getElementById("key-pane");
  if (!pane) return;
  pane.replaceChildren(keyDetails(key));
  pane.scrollTop = 0;
}

function showKey(id) {
  mountKey(id);
  const button = document.getElementById(`key-${id}`);
  const pane = document.getElementById("key-pane");
  button.scrollIntoView({ block: pane ? "nearest" : "center" });
  if (pane) pane.scrollIntoView({ block: narrow.matches ? "start" : "nearest" });
  announce(`Secret ${keyOf(id).name}`);
}

// Puts details where they belong, and marks the range that the address names.
function mount(id, make, still) {
  for (const each of document.querySelectorAll(".sequence .pick[aria-current]"))
    each.removeAttribute("aria-current");
  const picks = document.querySelectorAll(`.sequence [data-pick="${id}"]`);
  picks.forEach((pick) => pick.setAttribute("aria-current", "step"));
  const pick = picks[0];
  if (pick) openAround(pick);
  let details;
  if (view.all) {
    details = opened.get(id);
  } else {
    details = make();
    for (const slot of document.querySelectorAll(".inline")) slot.replaceChildren();
    const pane = document.getElementById("pane");
    pane.replaceChildren();
    if (narrow.matches && pick) pick.closest("li").querySelector(".inline").append(details.element);
    else pane.append(details.element);
    pane.scrollTop = 0;
  }
  const dump = details && details.dumps[state.part];
  if (dump && state.range) {
    const index = nodeAt(dump, state.range);
    if (index >= 0) pin(dump, index);
    if (details.dumps.length > 1 || narrow.matches) dump.element.scrollIntoView({ block: "nearest" });
  }
  if (pick && !still) pick.scrollIntoView({ block: narrow.matches || view.all ? "start" : "nearest" });
}

// A step within a record that is shut cannot be seen.
function openAround(pick) {
  const frame = pick.closest(".frame");
  if (frame && pick.closest("ol ol") && frame.classList.contains("shut")) frame.turn(false);
}

// By the id of the step: its details, where everything is open.
const opened = new Map();

function openAll() {
  opened.clear();
  for (const step of connection().steps) {
    const pick = document.getElementById(`step-${step.number}`);
    if (!pick) continue;
    const details = stepDetails(step);
    opened.set(`step-${step.number}`, details);
    pick.parentElement.querySelector(".inline").replaceChildren(details.element);
  }
}

function turnBy(by) {
  const now =
    state.step ||
    (state.record ? (stepsIn(state.record)[0] || { number: recordOf(state.record).after }).number : 0);
  const next = now ? stepBeside(now, by) : connection().steps[0];
  if (!next) return;
  go({ step: next.number });
  const pick = document.getElementById(`step-${next.number}`);
  if (pick) pick.focus({ preventScroll: true });
}

function onKey(event) {
  if (
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) ||
    (event.target.tagName === "PRE" && /^(Arrow|Home|End)/.test(event.key)) // they scroll a long command
  )
    return;
  const steps = connection().steps;
  const actions = {
    ArrowRight: () => turnBy(1),
    n: () => turnBy(1),
    j: () => turnBy(1),
    ArrowLeft: () => turnBy(-1),
    p: () => turnBy(-1),
    k: () => turnBy(-1),
    Home: () => steps.length && go({ step: steps[0].number }),
    End: () => steps.length && go({ step: steps[steps.length - 1].number }),
    o: () => document.getElementById("open-all").click(),
    w: () => document.getElementById("wire").click(),
    "/": () => document.getElementById("search").focus(),
  };
  const action = Object.hasOwn(actions, event.key) ? actions[event.key] : null;
  if (!action) return;
  event.preventDefault();
  action();
}
