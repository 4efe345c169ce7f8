"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
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
  const frame = (canvas) => {
    const height = /"height":(\d+)/.exec(source(canvas)) || /"height":(\d+)/.exec(shared);
    canvas.style.minHeight = `${height[1]}px`;
    canvas.role = "group";
    canvas.ariaLabel = canvas.previousElementSibling.textContent;
    watcher.observe(canvas);
  };
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((entry) => entry.isIntersecting)) {
        watcher.unobserve(entry.target);
        if (!drawn.has(entry.target)) draw(entry.target);
      }
    },
    { rootMargin: "400px" },
  );

  // Theme: the system's, until the button says otherwise.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const kept = remember("lethe-theme");
  if (kept) root.dataset.theme = kept;
  const label = () => {
    document.getElementById("theme").textContent = theme() === "dark" ? "Light" : "Dark";
  };
  const changeTheme = () => {
    root.dataset.theme = theme() === "dark" ? "light" : "dark";
    remember("lethe-theme", root.dataset.theme);
    label();
    redraw();
  };
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
  const makeSortable = (table) => {
    const rows = [...table.tBodies[0].rows];
    for (const header of table.querySelectorAll("th[aria-sort]")) {
      header.firstElementChild.addEventListener("click", () => sort(table, header, rows));
    }
  };

  // Paper: everything unfolded and drawn, in light colours, at the width of a sheet; wide tables are made to fit it.
  const fit = (table) => {
    const share = table.parentElement.clientWidth / table.scrollWidth;
    if (share < 1) table.style.zoom = share;
  };
  const tables = () => all(".scroll > table");
  const folds = () => all("details");
  const opened = () => folds().map((fold) => fold.open);
  const open = (states) => folds().forEach((fold, index) => (fold.open = states[index] ?? fold.open));
  let before = null;
  addEventListener("beforeprint", () => {
    before = { open: opened(), theme: root.dataset.theme };
    folds().forEach((fold) => (fold.open = true));
    root.dataset.theme = "light";
    root.classList.add("printing");
    all(".canvas").forEach((canvas) => draw(canvas, canvas.clientWidth));
    tables().forEach(fit);
    showPictures();
  });
  addEventListener("afterprint", () => {
    if (!before) return;
    root.classList.remove("printing");
    tables().forEach((table) => table.style.removeProperty("zoom"));
    if (before.theme) root.dataset.theme = before.theme;
    else delete root.dataset.theme;
    all(".canvas").forEach((canvas) => draw(canvas));
    open(before.open);
    before = null;
  });

  let showPictures = () => {};
  const furnish = () => {
    all(".canvas").forEach(frame);
    all("table.sortable").forEach(makeSortable);
    document.getElementById("theme").addEventListener("click", changeTheme);
    label();
    furnishTables(frame);
    showPictures = furnishGalleries();
  };
  furnish();

  // Live: the server that the page came from says when results have changed, and how far runs are.
  const live = document.querySelector('meta[name="lethe-live"]');
  if (live) {
    let known = live.content;
    const renew = async () => {
      const answer = await fetch("/", { cache: "no-store" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [states, y] = [opened(), scrollY];
      drawn.forEach((canvas) => Plotly.purge(canvas));
      drawn.clear();
      document.querySelector("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
      document.title = fresh.title;
      furnish();
      open(states);
      scrollTo(0, y);
    };
    const show = (runs) => {
      const panel = document.getElementById("runs");
      panel.replaceChildren(
        ...runs.map((run) => {
          const box = document.createElement("div");
          const bar = document.createElement("progress");
          bar.value = run.share;
          bar.ariaLabel = `progress of ${run.study}`;
          const line = document.createElement("p");
          line.textContent = `${run.study}: ${run.line}`;
          const best = document.createElement("ul");
          best.append(
            ...run.best.map(([scenario, words]) => {
              const entry = document.createElement("li");
              entry.textContent = `${scenario}: ${words}`;
              return entry;
            }),
          );
          box.append(bar, line, best);
          return box;
        }),
      );
      panel.hidden = !runs.length;
    };
    const events = new EventSource("/events");
    events.addEventListener("progress", (event) => show(JSON.parse(event.data)));
    events.addEventListener("state", (event) => {
      if (event.data === known) return;
      known = event.data;
      renew();
    });
  }
})();
