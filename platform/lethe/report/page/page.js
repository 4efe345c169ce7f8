"use strict";
(() => {
  const root = document.documentElement;
  const canvases = [...document.querySelectorAll(".canvas")];
  const drawn = new Set();
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;

  const remember = (name, value) => {
    try {
      if (value === undefined) return sessionStorage.getItem(name);
      sessionStorage.setItem(name, value);
    } catch {
      /* A browser may deny storage to local files; the page then forgets its theme. */
    }
    return null;
  };

  // Figures: colours are named as CSS variables and resolved when they are drawn.
  const source = (canvas) => canvas.nextElementSibling.textContent;
  const shared = document.getElementById("shared-layout").textContent;
  const merged = (base, own) =>
    own && typeof own === "object" && !Array.isArray(own) && base && typeof base === "object"
      ? Object.fromEntries([...new Set([...Object.keys(base), ...Object.keys(own)])].map((name) => [name, name in own ? merged(base[name], own[name]) : base[name]]))
      : own;
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const draw = (canvas, width) => {
    const coloured = (text) => JSON.parse(text.replace(/var\((--[a-z-]+)\)/g, (_, name) => colour(name)));
    const figure = coloured(source(canvas));
    figure.layout = merged(coloured(shared), figure.layout);
    if (width) Object.assign(figure.layout, { width, autosize: false });
    const options = { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]], toImageButtonOptions: { scale: 3 } };
    drawn.add(canvas);
    return Plotly.react(canvas, figure.data, figure.layout, options);
  };
  const redraw = () => drawn.forEach((canvas) => draw(canvas));
  for (const canvas of canvases) {
    const height = /"height":(\d+)/.exec(source(canvas)) || /"height":(\d+)/.exec(shared);
    canvas.style.minHeight = `${height[1]}px`;
    canvas.role = "group";
    canvas.ariaLabel = canvas.previousElementSibling.textContent;
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((entry) => entry.isIntersecting)) {
        watcher.unobserve(entry.target);
        if (!drawn.has(entry.target)) draw(entry.target);
      }
    },
    { rootMargin: "400px" },
  );
  canvases.forEach((canvas) => watcher.observe(canvas));

  // Theme: the system's, until the button says otherwise.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const kept = remember("lethe-theme");
  if (kept) root.dataset.theme = kept;
  const button = document.getElementById("theme");
  const label = () => {
    button.textContent = theme() === "dark" ? "Light" : "Dark";
  };
  label();
  button.addEventListener("click", () => {
    root.dataset.theme = theme() === "dark" ? "light" : "dark";
    remember("lethe-theme", root.dataset.theme);
    label();
    redraw();
  });
  dark.addEventListener("change", () => {
    label();
    redraw();
  });

  // Tables: a header sorts up, then down, then as it was; what has no number comes last.
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  const sort = (table, header, rows) => {
    const next = { none: "ascending", ascending: "descending", descending: "none" }[header.ariaSort];
    table.querySelectorAll("th[aria-sort]").forEach((other) => other.setAttribute("aria-sort", "none"));
    header.setAttribute("aria-sort", next);
    const column = header.cellIndex;
    const sign = next === "descending" ? -1 : 1;
    const ordered = [...rows].sort((one, other) => {
      const [a, b] = [key(one, column), key(other, column)];
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * compare(a, b);
    });
    table.tBodies[0].append(...(next === "none" ? rows : ordered));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const rows = [...table.tBodies[0].rows];
    for (const header of table.querySelectorAll("th[aria-sort]")) {
      header.firstElementChild.addEventListener("click", () => sort(table, header, rows));
    }
  }

  // Paper: everything unfolded and drawn, in light colours, at the width of a sheet; wide tables are made to fit it.
  const fit = (table) => {
    const share = table.parentElement.clientWidth / table.scrollWidth;
    if (share < 1) table.style.zoom = share;
  };
  const tables = [...document.querySelectorAll(".scroll > table")];
  const folds = [...document.querySelectorAll("details")];
  let before = null;
  addEventListener("beforeprint", () => {
    before = { open: folds.map((fold) => fold.open), theme: root.dataset.theme };
    folds.forEach((fold) => (fold.open = true));
    root.dataset.theme = "light";
    root.classList.add("printing");
    canvases.forEach((canvas) => draw(canvas, canvas.clientWidth));
    tables.forEach(fit);
  });
  addEventListener("afterprint", () => {
    if (!before) return;
    root.classList.remove("printing");
    tables.forEach((table) => table.style.removeProperty("zoom"));
    if (before.theme) root.dataset.theme = before.theme;
    else delete root.dataset.theme;
    canvases.forEach((canvas) => draw(canvas));
    folds.forEach((fold, index) => (fold.open = before.open[index]));
    before = null;
  });

  // Live: the server that the page came from is asked whether something is new.
  const live = document.querySelector('meta[name="lethe-live"]');
  if (live) {
    const left = JSON.parse(remember("lethe-left") || "null");
    if (left && left.path === location.pathname) {
      remember("lethe-left", "null");
      folds.forEach((fold, index) => (fold.open = left.open[index] ?? fold.open));
      scrollTo(0, left.y);
    }
    let known = live.content || null;
    const ask = async () => {
      try {
        const state = await (await fetch("/state", { cache: "no-store" })).text();
        if (known !== null && state !== known) {
          const open = folds.map((fold) => fold.open);
          remember("lethe-left", JSON.stringify({ path: location.pathname, open, y: scrollY }));
          location.reload();
        }
        known = state;
      } catch {
        /* The server has ended; the page stays as it is. */
      }
    };
    ask();
    setInterval(ask, 5000);
  }
})();
