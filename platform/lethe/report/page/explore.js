"use strict";
// What a reader does with the tables: filter them, choose columns, save them, compare two rows. `drawInto` draws a figure.
const furnishTables = (drawInto) => {
  const made = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const text = (cell) => cell.innerText.replace(/\s+/g, " ").trim();

  // Saving: a table as CSV, as it is shown.
  const csv = (table) => {
    const quoted = (words) => (/[",\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words);
    return [...table.rows]
      .map((row) => [...row.cells].filter((cell) => !cell.hidden).map((cell) => quoted(text(cell))).join(","))
      .join("\n");
  };
  const save = (table, name) => {
    const url = URL.createObjectURL(new Blob([csv(table), "\n"], { type: "text/csv" }));
    made("a", { href: url, download: `${name.replace(/[^\w.-]+/g, "-")}.csv` }).click();
    URL.revokeObjectURL(url);
  };

  // Columns: any but the first may be hidden.
  const columnChoice = (table) => {
    const heads = [...table.tHead.rows[0].cells].slice(1).filter((head) => !head.classList.contains("reach-head"));
    const entries = heads.map((head) => {
      const box = made("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        for (const row of table.rows) row.cells[head.cellIndex].hidden = !box.checked;
      });
      return made("label", {}, box, ` ${text(head)}`);
    });
    return made("details", { className: "columns" }, made("summary", { textContent: "columns" }), made("div", {}, ...entries));
  };
  for (const scroll of document.querySelectorAll(".scroll")) {
    const table = scroll.querySelector("table");
    const button = made("button", { type: "button", textContent: "CSV" });
    const article = scroll.closest("article");
    const label = scroll.getAttribute("aria-label");
    button.ariaLabel = `save the table as CSV: ${label}`;
    button.addEventListener("click", () => save(table, article ? `${article.id} ${label}` : label));
    const tools = made("div", { className: "tools" }, button);
    if (table.classList.contains("leaderboard")) tools.append(columnChoice(table));
    scroll.after(tools);
  }

  // Comparing: two rows of a table side by side, with histograms of the confidence in the images' own class and MIA's thresholds.
  const percent = (value) => (value === null || value === undefined ? "" : (100 * value).toFixed(1));
  const line = (name, one, other) => {
    const known = typeof one === "number" && typeof other === "number";
    const cells = [percent(one), percent(other), known ? (100 * (one - other)).toFixed(1).replace("-", "\u2212") : ""];
    return made("tr", {}, made("th", { scope: "row", textContent: name }), ...cells.map((cell) => made("td", { className: "number", textContent: cell })));
  };
  const verticalLine = (at, dash) => ({ type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", line: { color: "var(--ink)", dash, width: 1.5 } });
  const colours = ["var(--unlearned)", "var(--oracle)"];
  const histogram = (pair, split) => ({
    data: pair.map((row, index) => {
      const counts = row.confidence[split] || [];
      const total = counts.reduce((sum, count) => sum + count, 0) || 1;
      return {
        type: "bar",
        name: row.row,
        x: counts.map((_, bin) => (bin + 0.5) / counts.length),
        y: counts.map((count) => (100 * count) / total),
        marker: { color: colours[index] },
        opacity: 0.7,
      };
    }),
    layout: {
      barmode: "overlay",
      bargap: 0,
      showlegend: true,
      margin: { t: 34 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
      shapes: pair.flatMap((row, index) => (row.thresholds?.at ?? []).map((at) => verticalLine(at, index ? "dash" : "solid"))),
      xaxis: { title: { text: `confidence in the own class, ${split} images` }, range: [0, 1] },
      yaxis: { type: "log", title: { text: "% of the images" } },
    },
  });
  // What the lines are, and where there is none; nothing where neither row's results hold the attack's calls.
  const seedsOf = (count, row) => `${count} ${count === 1 ? "seed" : "seeds"} of ${row}`;
  const withoutLine = ({ row, thresholds }) => {
    if (!thresholds) return [`None for ${row}: its results are of a version that did not keep the attack's calls.`];
    const { alike, mixed } = thresholds;
    return [
      ...(alike ? [`None for ${seedsOf(alike, row)}: all images are called the same.`] : []),
      ...(mixed ? [`None for ${seedsOf(mixed, row)}: non-members are not all below one confidence and members above it.`] : []),
    ];
  };
  const aboutLines = (pair) => {
    if (pair.every((row) => !row.thresholds)) return [];
    const words = `Vertical lines, one a seed, solid for ${pair[0].row}, dashed for ${pair[1].row}: the threshold of the attack behind MIA, which calls images to the left non-members, to the right members; drawn midway between the two nearest images.`;
    return [made("figcaption", { textContent: [words, ...pair.flatMap(withoutLine)].join(" ") })];
  };
  const curves = (pair) => ({
    data: [
      { x: [0, 1], y: [0, 1], mode: "lines", name: "chance", line: { dash: "dot", width: 1.5, color: "var(--muted)" } },
      ...pair.map((row, index) => ({
        x: row.roc.x,
        y: row.roc.y,
        mode: "lines",
        name: `${row.row}, area ${row.roc.area.toFixed(2)}`,
        line: { width: 2, dash: index ? "dash" : "solid", color: colours[index] },
      })),
    ],
    layout: {
      showlegend: true,
      height: 340,
      margin: { t: 74 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
      xaxis: { title: { text: "share of the control images above a confidence" }, range: [0, 1] },
      yaxis: { title: { text: "share of the forget images" }, range: [0, 1.01] },
    },
  });
  const figureOf = (title, drawing, ...caption) => {
    const source = made("script", { type: "application/json", textContent: JSON.stringify(drawing) });
    return made("figure", { className: "plot" }, made("p", { className: "title", textContent: title }), made("div", { className: "canvas" }), source, ...caption);
  };
  const compared = (pair, level) => {
    const [one, other] = pair;
    const rows = Object.keys(one.measures).map((name) => line(name, one.measures[name], other.measures[name]));
    const classes = one.recall.map(([name, value], index) => line(`sensitivity to ${name}`, value, other.recall[index]?.[1]));
    const heads = ["measure", one.row, other.row, "difference"].map((head, index) => made("th", { scope: "col", className: index ? "number" : "", textContent: head }));
    const table = made("table", {}, made("thead", {}, made("tr", {}, ...heads)), made("tbody", {}, ...rows, ...classes));
    const settings = pair.map((row) => made("p", { className: "note" }, made("b", { textContent: row.row }), row.setting ? `: ${row.setting}` : ": no setting"));
    const plots = made("div", { className: "plots pair" });
    for (const split of ["forget", "control"].filter((split) => pair.every((row) => row.confidence[split]))) {
      plots.append(figureOf(`Confidence, ${split} images, all seeds together`, histogram(pair, split), ...aboutLines(pair)));
    }
    if (pair.every((row) => row.roc)) {
      const words = "On the dotted line the confidence tells no forget image from one that was never trained on. From the stored predictions of all seeds together; no classifier is fitted, as MIA's is.";
      plots.append(figureOf("ROC by confidence: forget against control images", curves(pair), made("figcaption", { textContent: words })));
    }
    const title = `${one.row} beside ${other.row}`;
    const scroll = made("div", { className: "scroll", role: "group", ariaLabel: title, tabIndex: 0 }, table);
    return [made(`h${level}`, { className: "sub", textContent: title }), ...settings, scroll, plots];
  };
  for (const source of document.querySelectorAll("script.rows")) {
    const rows = new Map(JSON.parse(source.textContent).map((row) => [row.row, row]));
    const panel = source.previousElementSibling;
    const article = source.closest("article");
    const table = article.querySelector("table.leaderboard");
    const level = Number(article.querySelector(".section").tagName[1]) + 1;
    const picked = [];
    for (const link of table.querySelectorAll("tbody a.self")) {
      const box = made("input", { type: "checkbox", className: "pick", title: "compare with another row" });
      box.ariaLabel = `compare ${link.textContent}`;
      box.addEventListener("change", () => {
        if (box.checked) picked.push(box);
        else picked.splice(picked.indexOf(box), 1);
        if (picked.length > 2) picked.shift().checked = false;
        const pair = picked.map((one) => rows.get(one.nextElementSibling.textContent));
        panel.replaceChildren(...(pair.length === 2 ? compared(pair, level) : pair.length ? ["Pick a second row to compare it with."] : []));
        panel.querySelectorAll(".canvas").forEach(drawInto);
      });
      link.before(box);
    }
  }

  // Filtering: by data, augmentation and request, which hides tables; the choice is kept in the address.
  const form = document.getElementById("filter");
  if (!form) return;
  const articles = [...document.querySelectorAll("article[data-dataset]")];
  const names = { dataset: "data", augmentation: "augmentation", forget: "forget" };
  const chosen = new URLSearchParams(location.search);
  const apply = () => {
    const wanted = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
    for (const article of articles) {
      article.hidden = Object.entries(wanted).some(([name, value]) => article.dataset[name] !== value);
      for (const link of document.querySelectorAll(`.asked a[href="#${CSS.escape(article.id)}"]`)) link.closest(".answer").hidden = article.hidden;
    }
  };
  for (const [name, label] of Object.entries(names)) {
    const values = [...new Set(articles.map((article) => article.dataset[name]))];
    if (values.length < 2) continue;
    const select = made("select", { name }, made("option", { value: "", textContent: "all" }), ...values.map((value) => made("option", { value, textContent: value })));
    select.value = values.includes(chosen.get(name)) ? chosen.get(name) : "";
    form.append(made("label", {}, `${label} `, select));
  }
  form.hidden = !form.childElementCount;
  form.addEventListener("change", apply);
  apply();
};
