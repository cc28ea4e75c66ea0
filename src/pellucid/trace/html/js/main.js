// Builds the page, once for each connection that is chosen.

const SECTIONS = [
  ["failure", "Failure"],
  ["sequence", "Handshake"],
  ["keys", "Keys"],
  ["certificates", "Certificates"],
  ["choices", "Choices"],
  ["overview", "Summary"],
];

function headBar() {
  const open = el(
    "button",
    {
      class: "tool",
      type: "button",
      id: "open-all",
      "aria-pressed": String(view.all),
      title: "Open everything (o)",
    },
    "Open all",
  );
  open.addEventListener("click", () => {
    view.all = !view.all;
    build();
    restore();
  });
  const wire = el(
    "button",
    {
      class: "tool",
      type: "button",
      id: "wire",
      "aria-pressed": String(view.wire),
      title: "Only what somebody on the way sees (w)",
    },
    "As the network sees it",
  );
  wire.addEventListener("click", () => {
    view.wire = !view.wire;
    wire.setAttribute("aria-pressed", String(view.wire));
    document.querySelector(".sequence").classList.toggle("wire", view.wire);
    for (const frame of document.querySelectorAll(".frame")) frame.turn(view.wire);
  });
  const print = el("button", { class: "tool", type: "button" }, "Print");
  print.addEventListener("click", () => window.print());
  const links = SECTIONS.filter(([id]) => document.getElementById(id)).map(([id, name]) =>
    el("li", {}, el("a", { href: hashOf({ section: id }) }, name)),
  );
  return el(
    "div",
    { class: "bar" },
    el("span", { class: "brand" }, "pellucid"),
    el("nav", { "aria-label": "Sections" }, el("ul", {}, links)),
    el("div", { class: "tools" }, searchBox(), open, wire, print),
  );
}

function build() {
  document
    .getElementById("main")
    .replaceChildren(
      ...[
        introSection(),
        sequenceSection(),
        keysSection(),
        certificatesSection(),
        choicesSection(),
        overviewSection(),
      ].filter(Boolean),
    );
  document.getElementById("top").replaceChildren(headBar());
  document.getElementById("foot").replaceChildren(
    el(
      "p",
      {},
      "Made by pellucid. This file needs nothing else: nothing is loaded, nothing is sent. Keys: ",
      [
        ["← →", "step"],
        ["/", "search"],
        ["o", "open all"],
        ["w", "as the network sees it"],
      ].flatMap(([key, what], index) => [index ? ", " : "", el("kbd", {}, key), ` ${what}`]),
      ".",
    ),
  );
  document.title = data.heading;
  if (view.all) openAll();
  drawWires();
}

// Print shows everything, and afterwards the page is as it was.
function printing(on) {
  if (on === view.paper) return;
  if (on) view.before = { all: view.all, wire: view.wire };
  Object.assign(view, on ? { all: true, wire: false } : view.before, { paper: on });
  build();
  if (!on) restore();
}

window.addEventListener("hashchange", arrive);
window.addEventListener("keydown", onKey);
window.addEventListener("beforeprint", () => printing(true));
window.addEventListener("afterprint", () => printing(false));
window.matchMedia("print").addEventListener("change", (event) => printing(event.matches));
narrow.addEventListener("change", () => {
  build();
  restore();
});
new ResizeObserver(drawWires).observe(document.getElementById("main"));
build();
arrive();
