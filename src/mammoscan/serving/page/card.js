// The model's card on the page.

const DATA = {
  real: "real images, as they were found: no published checksums were compared",
  modified: "files that differ from the published ones",
  phantom: "a phantom: synthetic images",
};
const PROTOCOL = {
  patient: "patients kept apart",
  author: "the article's own, with images of one patient on both sides",
};

export function fillCard(about) {
  const { card, model } = about;
  document.getElementById("title").textContent = card.title || model.study;
  document.title = `${card.title || model.study} · Mammoscan`;
  document.getElementById("question").textContent = card.question || "";
  const cautions = document.getElementById("cautions");
  cautions.hidden = about.cautions.length === 0;
  cautions.replaceChildren(...about.cautions.map((text) => make("p", text)));

  const facts = [
    ["Meant for", about.notice],
    ["Answers", card.labels.join(", ")],
    ["Threshold", about.threshold_meaning],
    ["Trained on", card.verified ? "the published images, every file checked" : DATA[model.data] || model.data],
    ["Measured on", card.samples && `${card.samples} ${card.unit}${card.patients ? ` of ${card.patients} patients` : ""}`],
    ["Division", (model.protocol === "patient" && card.division) || PROTOCOL[model.protocol] || model.protocol],
    ["Takes", `${card.shape[1]} × ${card.shape[0]} pixels, ${card.shape[2] === 1 ? "grey" : "colour"}`],
    ["Study", model.study],
    ["Model", model.id],
    ["Runs on", model.runtime === "onnx" ? "ONNX Runtime" : "Keras"],
  ].filter(([, value]) => value);
  const list = make("dl", "", "plain");
  for (const [name, value] of [...facts, ...listMeasures(card.metrics)]) {
    const row = document.createElement("div");
    row.append(make("dt", name), make("dd", value));
    list.append(row);
  }
  const limits = make("ul", "", "limits");
  limits.append(...(card.limits ?? []).map((sentence) => make("li", sentence)));
  const whole = document.createElement("details");
  const json = make("pre", JSON.stringify(card, null, 1), "scroll");
  json.tabIndex = 0;
  json.setAttribute("aria-label", "The whole card as JSON");
  whole.append(make("summary", "The whole card"), json);
  document.getElementById("card").replaceChildren(
    list,
    ...(limits.children.length ? [make("h3", "Limits"), limits] : []),
    whole,
  );
}

function listMeasures(metrics) {
  const names = { auc: "AUC", accuracy: "Accuracy", sensitivity: "Sensitivity", specificity: "Specificity" };
  return Object.entries(names)
    .filter(([key]) => typeof metrics?.[key]?.value === "number")
    .map(([key, name]) => {
      const { value, low, high } = metrics[key];
      const range = typeof low === "number" ? ` [${low.toFixed(2)}, ${high.toFixed(2)}]` : "";
      return [name, `${value.toFixed(2)}${range}`];
    });
}

function make(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}
