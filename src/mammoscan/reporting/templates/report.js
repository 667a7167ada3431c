"use strict";
// Everything works without this script: all sections are then open. It only folds, opens and copies.
(() => {
  const folds = [...document.querySelectorAll("details.fold")];
  const panels = [...document.querySelectorAll(".panel")];
  const setAll = (open) => folds.forEach((fold) => { fold.open = open; });
  document.documentElement.classList.add("scripted");

  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const fold = target.querySelector("details.fold") || target.closest("details.fold");
    if (fold) fold.open = true;
    if (panels.includes(target)) {
      panels.forEach((panel) => { panel.hidden = panel !== target; });
      document.querySelectorAll(".matrix a").forEach((link) => {
        link.toggleAttribute("aria-current", link.hash === location.hash);
      });
    }
    target.scrollIntoView();
    if (target.tabIndex >= -1 && target.hasAttribute("tabindex")) target.focus({ preventScroll: true });
  };

  setAll(false);
  panels.forEach((panel) => { panel.hidden = true; });
  addEventListener("hashchange", reveal);
  // A second click on the same link changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) { event.preventDefault(); reveal(); }
  });
  reveal();

  const addButton = (text, place, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => act(button));
    place(button);
    return button;
  };
  const all = addButton("Open all", (button) => document.querySelector(".contents").append(button), () => {
    const open = folds.some((fold) => !fold.open);
    setAll(open);
    all.textContent = open ? "Close all" : "Open all";
  });

  const read = (block) => block.tagName === "TABLE"
    ? [...block.rows].map((row) => [...row.cells].map((cell) => cell.innerText.trim().replace(/\s+/g, " ")).join("\t")).join("\n")
    : block.innerText.trim();
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  document.querySelectorAll(".copy").forEach((block) => {
    const place = block.closest(".scroll") || block;
    addButton("Copy", (button) => place.before(button), async (button) => {
      await copy(read(block));
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  });

  let before = null;
  addEventListener("beforeprint", () => {
    before = folds.map((fold) => fold.open);
    setAll(true);
    panels.forEach((panel) => { panel.dataset.hidden = panel.hidden; panel.hidden = false; });
  });
  addEventListener("afterprint", () => {
    folds.forEach((fold, place) => { fold.open = before[place]; });
    panels.forEach((panel) => { panel.hidden = panel.dataset.hidden === "true"; });
  });
})();
