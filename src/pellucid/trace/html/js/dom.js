// Elements and nothing else: whatever a peer has said becomes a text node or an attribute, never HTML.

const SVG = "http://www.w3.org/2000/svg";

// el("p", {class: "small"}, "text", el("b", {}, "more")); null children are left out; "on" holds listeners.
function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "on") {
      for (const [kind, listener] of Object.entries(value)) made.addEventListener(kind, listener);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, String(value));
    }
  }
  made.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""),
  );
  return made;
}

const PATHS = {
  lock: "M4 7V5a4 4 0 0 1 8 0v2h1v7H3V7zm2 0h4V5a2 2 0 0 0-4 0z",
  client: "M2 2h12v9H2zm2 2v5h8V4zM5 13h6v1H5z",
  server: "M2 2h12v5H2zm0 7h12v5H2zm2-5v1h2V4zm0 7v1h2v-1z",
  choose: "M7 14V9L2 4l1.4-1.4L8 7.2l4.6-4.6L14 4 9 9v5z",
  derive:
    "M4.5 4a4 4 0 0 1 3.9 3H15v2.2h-1.6V11h-2.2V9.2H8.3A4 4 0 1 1 4.5 4zm0 2.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2z",
  verify: "M6.5 13 1.5 8l1.6-1.6 3.4 3.4 6.4-6.4L14.5 5z",
  failed: "M3.2 1.6 8 6.4l4.8-4.8 1.6 1.6L9.6 8l4.8 4.8-1.6 1.6L8 9.6l-4.8 4.8-1.6-1.6L6.4 8 1.6 3.2z",
};

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  path.setAttribute("fill", "currentColor");
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

function unseen(text) {
  return el("span", { class: "unseen" }, text);
}

function announce(text) {
  document.getElementById("status").textContent = text;
}

// What is narrower than the second column needs shows details in the line, below what they belong to.
const narrow = window.matchMedia("(max-width: 62rem)");
