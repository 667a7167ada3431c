// The answers of many images as a table that can be sorted by each column.

const COLUMNS = [
  ["File", (entry) => entry.file.name],
  ["Answer", (entry) => nameAnswer(entry.result)],
  ["Probability", (entry) => chance(entry.result)],
  ["Warnings", (entry) => entry.result?.warnings?.length ?? 0],
];
let sorted = { column: -1, down: false };

// What an answer is called in a list: the label, or why there is none to rely on.
export function nameAnswer(result) {
  if (!result || result.error) return "without an answer";
  return result.out_of_distribution ? "of an unknown kind" : result.label;
}

// Of the label that the threshold is about, else of the likeliest.
function chance(result) {
  if (!result || result.error) return null;
  return result.probabilities[result.positive ?? result.label];
}

export function fillTable(table, answers, open) {
  const head = document.createElement("tr");
  COLUMNS.forEach(([name], at) => {
    const cell = document.createElement("th");
    cell.scope = "col";
    const ordered = at === sorted.column;
    cell.setAttribute("aria-sort", ordered ? (sorted.down ? "descending" : "ascending") : "none");
    const button = document.createElement("button");
    button.type = "button";
    const positive = answers.find((entry) => entry.result?.positive)?.result.positive;
    button.textContent = at === 2 && positive ? `Probability of “${positive}”` : name;
    button.addEventListener("click", () => {
      sorted = { column: at, down: ordered ? !sorted.down : at >= 2 };
      fillTable(table, answers, open);
      table.querySelectorAll("th button")[at].focus();
    });
    cell.append(button);
    head.append(cell);
  });
  const rows = order(answers).map((entry) => {
    const row = document.createElement("tr");
    row.append(
      ...COLUMNS.map(([, value], at) => {
        const cell = document.createElement("td");
        const found = value(entry);
        if (at === 0) {
          const link = document.createElement("button");
          link.type = "button";
          link.className = "as-link";
          link.textContent = found;
          link.addEventListener("click", () => open(entry));
          cell.append(link);
        } else {
          cell.textContent = typeof found === "number" && at === 2 ? found.toFixed(4) : (found ?? "–");
        }
        return cell;
      }),
    );
    return row;
  });
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows);
}

function order(answers) {
  if (sorted.column < 0) return answers;
  const value = COLUMNS[sorted.column][1];
  const compare = (a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  // What has no value comes last, whichever way the others are sorted.
  return [...answers].sort((one, two) => {
    const [a, b] = [value(one), value(two)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sorted.down ? compare(b, a) : compare(a, b);
  });
}
