// Commands to compute a value again, to be copied into a terminal.

function copier(text) {
  const button = el("button", { class: "tool", type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      announce("Copied");
    } catch {
      // Without permission for the clipboard: select it, so that a key will do.
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector("code"));
      window.getSelection().removeAllRanges();
      window.getSelection().addRange(range);
      button.textContent = "Selected";
    }
  });
  return button;
}

function commandBox(command, title) {
  return el(
    "figure",
    { class: "command" },
    el("figcaption", {}, title || command.with),
    copier(command.text),
    el(
      "pre",
      { tabindex: 0, role: "group", "aria-label": title || command.with },
      el("code", {}, command.text),
    ),
  );
}

// What is folded is open where everything is.
function folded(title, ...content) {
  return el("details", { class: "recompute", open: unfolded() }, el("summary", {}, title), content);
}

function recomputeBox(commands, hidden) {
  if (!commands || !commands.length) return null;
  const note = hidden
    ? el(
        "p",
        { class: "small soft" },
        "The secrets that go in are not shown here: put them where their names stand in capitals.",
      )
    : null;
  const boxes = commands.map((one) => commandBox(one, one.of ? `${one.with}, for the ${one.of}` : one.with));
  return folded("Recompute this", note, boxes);
}
