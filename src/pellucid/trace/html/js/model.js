// The data of the page, and the connection that is looked at.

const data = JSON.parse(document.getElementById("data").textContent);
const connections = data.connections;

// index: the connection shown. step, part, from, to: what is selected; record, key: or these.
const state = { index: connections.length - 1, step: null, part: 0, range: null, record: null, key: null };
// all: everything is open, below what it belongs to. wire: encrypted records are shut, as for who listens.
// paper: it is being printed, so that what is folded stays folded. before: what it was until then.
const view = { all: false, wire: false, paper: false, before: null };

function unfolded() {
  return view.all && !view.paper;
}

function connection() {
  return connections[state.index];
}

function stepOf(number) {
  return connection().steps.find((step) => step.number === number) || null;
}

// The step that is shown before or after this one; some between them may be left out.
function stepBeside(number, by) {
  const steps = connection().steps;
  return steps[steps.findIndex((step) => step.number === number) + by] || null;
}

function recordOf(number) {
  return connection().records[number - 1] || null;
}

function keyOf(id, index = state.index) {
  return connections[index].keys.find((key) => key.id === id) || null;
}

// The parts of a step that have bytes: those that a deep link may point into.
function messagesOf(step) {
  return step.parts.filter((part) => part.kind === "message");
}

function other(side) {
  return side === "client" ? "server" : "client";
}

// "#connection-1/step-7.2:12-20": of connections before the last, of a step's second message, bytes 12 to 20.
function hashOf(target, index = state.index) {
  const prefix = index === connections.length - 1 ? "#" : `#connection-${index + 1}/`;
  if (target.step) {
    const part = target.part ? `.${target.part + 1}` : "";
    const range = target.range ? `:${target.range[0]}-${target.range[1]}` : "";
    return `${prefix}step-${target.step}${part}${range}`;
  }
  if (target.record) {
    return `${prefix}record-${target.record}${target.range ? `:${target.range[0]}-${target.range[1]}` : ""}`;
  }
  return target.key ? `${prefix}key-${target.key}` : `${prefix}${target.section || "sequence"}`;
}

const ROUTE =
  /^#(?:connection-(\d+)\/)?(?:(step|record)-(\d+)(?:\.(\d+))?(?::(\d+)(?:-(\d+))?)?|key-([\w-]+)|([\w-]*))$/;

function targetOf(hash) {
  const match = ROUTE.exec(hash);
  if (!match) return null;
  const [, earlier, kind, number, part, first, last, key, section] = match;
  const index = earlier ? Number(earlier) - 1 : connections.length - 1;
  if (!connections[index]) return null;
  const target = { index };
  if (kind) target[kind] = Number(number);
  if (kind === "step") target.part = part ? Number(part) - 1 : 0;
  if (first !== undefined) target.range = [Number(first), Number(last === undefined ? first : last)];
  if (key) target.key = key;
  if (section) target.section = section;
  return target;
}
