// One image's answer on the page.

import { describeHeat, openViewer } from "./viewer.js";

export function fillAnswer(item, entry, feedback) {
  const { result, file } = entry;
  const two = result.threshold !== null;
  const positive = two && result.label === result.positive;
  const unknown = result.out_of_distribution;
  item.className = `answer is-${unknown ? "unknown" : positive ? "positive" : "negative"}`;
  const verdict = item.querySelector(".verdict");
  const name = document.createElement("b");
  name.textContent = unknown ? "I do not know this kind of image" : result.label;
  const side = two ? describeSide(result, positive) : "the likeliest of the labels";
  verdict.replaceChildren(name, unknown ? `It is unlike those that the model was trained on. If it were one of them, the answer would be “${result.label}”: ${side}.` : side);
  const bars = item.querySelector(".bars");
  const shown = two ? [result.positive] : Object.keys(result.probabilities);
  bars.replaceChildren(...shown.map((label) => drawBar(label, result)));
  fillList(item.querySelector(".warnings"), result.warnings);
  fillList(item.querySelector(".notes"), result.notes);
  if (result.places.length) fillPlaces(item, result);
  if (result.seen) fillPictures(item.querySelector(".pictures"), entry);
  if (feedback) offerRating(item.querySelector(".rating"), result);
}

function offerRating(box, result) {
  box.hidden = false;
  const said = box.querySelector(".rated");
  for (const button of box.querySelectorAll("button")) {
    button.addEventListener("click", async () => {
      const right = button.value === "right";
      const reply = await fetch("feedback", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ sha256: result.sha256, right }),
      }).catch(() => null);
      said.textContent = reply?.ok ? `Noted as ${button.value}.` : "This could not be noted.";
      if (!reply?.ok) return;
      for (const other of box.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
    });
  }
}

export function failAnswer(item, reason) {
  item.className = "answer is-bad";
  item.querySelector(".verdict").textContent = reason;
}

function describeSide(result, positive) {
  const chance = result.probabilities[result.positive];
  // Enough digits to see on which side of the threshold it lies.
  const digits = Math.abs(chance - result.threshold) < 0.01 ? 4 : 2;
  const side = positive ? "at or above" : "below";
  return `${chance.toFixed(digits)} for “${result.positive}” is ${side} the threshold of ${result.threshold.toFixed(digits)}`;
}

function drawBar(label, result) {
  const row = document.getElementById("bar").content.firstElementChild.cloneNode(true);
  const chance = result.probabilities[label];
  row.querySelector(".row-label").textContent = `Calibrated probability of “${label}”`;
  row.querySelector(".row-number").textContent = chance.toFixed(2);
  row.querySelector(".fill").style.width = `${100 * chance}%`;
  const bar = row.querySelector(".bar");
  bar.setAttribute("aria-label", `Calibrated probability of ${label}`);
  bar.setAttribute("aria-valuenow", chance.toFixed(4));
  let text = chance.toFixed(2);
  if (result.threshold !== null) {
    const at = 100 * result.threshold;
    const tick = row.querySelector(".tick");
    tick.hidden = false;
    tick.style.left = `${at}%`;
    row.querySelector(".ticks").hidden = false;
    const words = row.querySelector(".tick-label");
    words.textContent = `threshold ${result.threshold.toFixed(2)}`;
    words.style.left = `${at}%`;
    words.style.transform = `translateX(-${at}%)`;
    text += `; threshold ${result.threshold.toFixed(2)}`;
  }
  bar.setAttribute("aria-valuetext", text);
  return row;
}

function fillList(list, sentences) {
  list.hidden = sentences.length === 0;
  list.replaceChildren(
    ...sentences.map((text) => {
      const line = document.createElement("li");
      line.textContent = text.charAt(0).toUpperCase() + text.slice(1);
      return line;
    }),
  );
}

function fillPlaces(item, result) {
  item.classList.add("is-scan");
  const box = item.querySelector(".places");
  box.hidden = false;
  box.querySelector("ol").replaceChildren(
    ...result.places.map((place) => {
      const line = document.createElement("li");
      line.textContent =
        `${place.probability.toFixed(2)} at x ${Math.round(place.x)}, y ${Math.round(place.y)} from the lower left`;
      return line;
    }),
  );
  const [width, height] = result.size;
  item.querySelector(".stack").append(
    ...result.places.map((place) => {
      const frame = document.createElement("span");
      frame.className = "frame";
      frame.textContent = place.rank;
      frame.style.left = `${(100 * (place.column - place.side / 2)) / width}%`;
      frame.style.top = `${(100 * (place.row - place.side / 2)) / height}%`;
      frame.style.width = `${(100 * place.side) / width}%`;
      frame.style.height = `${(100 * place.side) / height}%`;
      return frame;
    }),
  );
}

function fillPictures(pictures, entry) {
  const { result, file } = entry;
  pictures.hidden = false;
  const under = pictures.querySelector(".under");
  under.addEventListener("load", () => {
    pictures.querySelector(".seen figcaption").textContent = result.size
      ? `The scan. ${describeHeat(result)}`
      : `${describeHeat(result)} (${under.naturalWidth} × ${under.naturalHeight})`;
  });
  under.src = result.seen;
  under.alt = "What the network saw";
  const heat = pictures.querySelector(".heat");
  heat.src = result.heat_map;
  heat.alt = result.size ? "Map of the probabilities" : `Heat map: what speaks for ${result.label}`;
  for (const button of pictures.querySelectorAll("button")) button.addEventListener("click", () => openViewer(entry));
  if (!result.size) showSent(pictures.querySelector(".sent"), file);
}

function showSent(figure, file) {
  // A browser shows PNG and JPEG, but no PGM, TIFF or DICOM.
  const image = figure.querySelector("img");
  const address = URL.createObjectURL(file);
  image.alt = `${file.name}, as it was sent`;
  image.addEventListener("load", () => {
    figure.hidden = false;
    URL.revokeObjectURL(address);
  });
  image.addEventListener("error", () => URL.revokeObjectURL(address));
  image.src = address;
}
