import { fillAnswer, failAnswer } from "./answer.js";
import { fillCard } from "./card.js";
import { fillTable, nameAnswer } from "./table.js";
import { openViewer, startViewer } from "./viewer.js";

const AT_ONCE = 2;
const MAX_TRIES = 20;
const find = (id) => document.getElementById(id);

const work = [];
let answers = [];
let running = 0;
let stop = new AbortController();
let feedback = false;
let limits = { images: 32, megabytes: 64, megapixels: 50, seconds: 60 };

async function start() {
  find("where").textContent =
    `Images go to ${location.host} and to nobody else. They are not kept, and their names are not written down.`;
  try {
    const reply = await fetch("model");
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    const about = await reply.json();
    limits = about.limits;
    feedback = about.feedback;
    find("allowed").textContent =
      `PNG, JPEG, PGM, TIFF, BMP, WebP, GIF, DICOM or NIfTI, each up to ${limits.megabytes} MB and ${limits.megapixels} megapixels.`;
    find("threshold").textContent = about.threshold_meaning || "The answer is the likeliest label.";
    find("notice").textContent = about.notice;
    fillCard(about);
  } catch (error) {
    find("card").textContent = `The model's card could not be loaded (${error.message}). Is the service running?`;
  }
}

function addFiles(files) {
  for (const file of files) {
    const item = find("answer").content.firstElementChild.cloneNode(true);
    item.querySelector(".name").textContent = file.name;
    item.querySelector(".again").addEventListener("click", () => queueFile(entry));
    find("answers").append(item);
    const entry = { file, item, result: null, done: false };
    answers.push(entry);
    queueFile(entry);
  }
  find("results").hidden = answers.length === 0;
}

function queueFile(entry) {
  entry.done = false;
  entry.item.className = "answer";
  entry.item.querySelector(".again").hidden = true;
  entry.item.querySelector(".verdict").textContent = "Waiting…";
  work.push(entry);
  say(`${count(answers.filter((one) => one.done).length)} of ${count(answers.length)} answered.`);
  while (running < AT_ONCE && work.length) runWorker();
}

async function runWorker() {
  running += 1;
  const signal = stop.signal;
  while (work.length && !signal.aborted) await askAbout(work.shift(), signal);
  if (!signal.aborted) running -= 1;
}

async function askAbout(entry, signal) {
  try {
    if (entry.file.size > limits.megabytes * 1e6) {
      failAnswer(entry.item, `${entry.file.name} is larger than the ${limits.megabytes} MB allowed.`);
    } else {
      const reply = await sendFile(entry.file, signal);
      entry.result = reply.results ? reply.results[0] : null;
      if (!entry.result) failAnswer(entry.item, reply.detail || "The service gave no answer.");
      else if (entry.result.error) failAnswer(entry.item, entry.result.error);
      else fillAnswer(entry.item, entry, feedback);
    }
  } catch (error) {
    if (signal.aborted) return;
    failAnswer(entry.item, "The service does not answer. Is it running, and can it be reached?");
    entry.item.querySelector(".again").hidden = false;
  }
  entry.done = true;
  tellProgress(entry);
}

async function sendFile(file, signal) {
  for (let tries = 1; ; tries += 1) {
    const form = new FormData();
    form.append("images", file);
    const reply = await fetch("predict?explain=true", { method: "POST", body: form, signal });
    if (reply.status !== 503 || tries === MAX_TRIES) {
      return (reply.headers.get("Content-Type") || "").includes("json")
        ? reply.json()
        : { detail: `The service failed with status ${reply.status}.` };
    }
    const seconds = Number(reply.headers.get("Retry-After")) || 1;
    say(`The service is busy; trying again in ${seconds} s.`);
    await new Promise((resume) => setTimeout(resume, seconds * 1000));
    if (signal.aborted) throw new Error("cleared");
  }
}

function tellProgress(entry) {
  const done = answers.filter((one) => one.done).length;
  const named = nameAnswer(entry.result);
  const last = `${entry.file.name}: ${entry.result && !entry.result.error ? named : "no answer"}`;
  if (!find("sheet").hidden) showTable();
  if (done < answers.length) {
    say(`${count(done)} of ${count(answers.length)} answered. ${last}.`);
    return;
  }
  const tally = new Map();
  for (const one of answers) {
    const name = nameAnswer(one.result);
    tally.set(name, (tally.get(name) || 0) + 1);
  }
  const parts = [...tally].map(([name, number]) => `${count(number)} ${name}`);
  say(answers.length === 1 ? `Answered. ${last}.` : `All ${count(answers.length)} answered: ${parts.join(", ")}.`);
}

function saveTable() {
  const labels = [...new Set(answers.flatMap((one) => Object.keys(one.result?.probabilities ?? {})))];
  const rows = [["file", "label", ...labels.map((label) => `p_${label}`), "threshold", "out_of_distribution", "warnings", "notes", "error"]];
  for (const { file, result } of answers) {
    const chances = labels.map((label) => result?.probabilities?.[label] ?? "");
    const said = [result?.warnings, result?.notes].map((sentences) => (sentences ?? []).join("; "));
    rows.push([file.name, result?.label ?? "", ...chances, result?.threshold ?? "", result?.out_of_distribution ?? "", ...said, result?.error ?? ""]);
  }
  // A spreadsheet must not take a file's name for a formula.
  const defuse = (cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);
  const quote = (cell) => `"${defuse(String(cell)).replaceAll('"', '""')}"`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([rows.map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n"], { type: "text/csv" }));
  link.download = "mammoscan.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function clearAll() {
  stop.abort();
  stop = new AbortController();
  work.length = 0;
  running = 0;
  answers = [];
  find("answers").replaceChildren();
  showTable();
  find("results").hidden = true;
  say("");
  find("choose").focus();
}

function showTable() {
  fillTable(find("table"), answers, (entry) => {
    if (entry.result?.seen) openViewer(entry);
    else entry.item.scrollIntoView();
  });
}

const say = (text) => { find("status").textContent = text; };
const count = (number) => number.toLocaleString("en");

find("choose").addEventListener("change", (event) => {
  addFiles(event.target.files);
  event.target.value = "";
});
find("clear").addEventListener("click", clearAll);
find("save").addEventListener("click", saveTable);
find("as-table").addEventListener("click", (event) => {
  const shown = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(shown));
  find("sheet").hidden = !shown;
  find("answers").hidden = shown;
  if (shown) showTable();
});
startViewer();
find("heat").addEventListener("click", (event) => {
  const shown = event.currentTarget.getAttribute("aria-pressed") !== "true";
  event.currentTarget.setAttribute("aria-pressed", String(shown));
  find("results").classList.toggle("no-heat", !shown);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  find("drop").classList.add("over");
});
for (const name of ["dragleave", "drop"]) {
  document.addEventListener(name, () => find("drop").classList.remove("over"));
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  addFiles(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => addFiles(event.clipboardData?.files ?? []));

start();
