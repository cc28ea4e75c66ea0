// All that there is to say about one step.

function metaOf(step) {
  const words = [];
  if (step.kind === "message") {
    words.push(`${step.side} to ${other(step.side)}`, plural(step.size, "byte"), step.protection);
  } else if (step.onlooker) {
    words.push(`checked here by who reads the capture, in the place of the ${step.side}`);
  } else {
    words.push(`on the ${step.side}'s side`);
  }
  if (!connection().still) words.push(`${duration(step.time)} after the start`);
  return words.join(" · ");
}

function turnButtons(step) {
  const turn = (by, text, label) => {
    const to = stepBeside(step.number, by);
    return el(
      "button",
      {
        class: "tool",
        type: "button",
        disabled: !to,
        "aria-label": label,
        title: label,
        on: { click: () => to && go({ step: to.number }) },
      },
      text,
    );
  };
  return el(
    "div",
    { class: "turn" },
    turn(-1, "← Previous", "Previous step (left arrow)"),
    turn(1, "Next →", "Next step (right arrow)"),
  );
}

function stepDetails(step) {
  const dumps = [];
  const secrets = step.parts.filter((part) => part.kind === "secret");
  const article = el(
    "article",
    { class: `details ${step.side}`, "aria-label": `Step ${step.number}: ${actorOf(step)}, ${step.title}` },
    el(
      "header",
      {},
      el(
        "h3",
        {},
        `${step.number}. `,
        step.kind === "message" ? step.title : `The ${actorOf(step)} ${step.title}`,
      ),
      turnButtons(step),
      el("p", { class: "meta" }, metaOf(step), step.rfc ? [" · ", references(step.rfc)] : null),
    ),
    step.ok
      ? null
      : el(
          "p",
          {},
          verdict(false, "", step.kind === "message" ? "this ends the connection" : "here it fails"),
        ),
    el("p", { class: "purpose" }, step.purpose),
    step.without ? el("p", { class: "aside" }, el("b", {}, "Without it "), step.without) : null,
    step.textbook
      ? el("p", { class: "aside textbook" }, el("b", {}, "Unlike the textbook: "), step.textbook)
      : null,
    step.rows && step.rows.length
      ? el(
          "dl",
          { class: "rows" },
          step.rows.flatMap((row) => [el("dt", {}, row.label), el("dd", {}, row.value)]),
        )
      : null,
  );
  for (const part of step.parts) {
    const made = partOf(part, step, dumps);
    if (made) article.append(made);
  }
  const made = secretsPart(secrets);
  if (made) article.append(made);
  return { element: article, dumps };
}
