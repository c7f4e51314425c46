// Search over the sections of all pages: every word has to begin a word of the
// section; words in titles count more. The index is a script, so that it also
// loads from a disk.
"use strict";
const box = document.getElementById("search"), list = document.getElementById("results");
const root = document.querySelector("script[data-root]").dataset.root;

function words(s) { return s.toLowerCase().match(/[\p{L}\p{N}_]+/gu) || []; }

for (const s of searchIndex) {
  s.heads = words(s.page + " " + s.title);
  s.words = words(s.text);
}

function search(query) {
  const wanted = words(query);
  if (!wanted.length) return [];
  const found = [];
  for (const s of searchIndex) {
    let score = 0, all = true;
    for (const w of wanted) {
      const inTitle = s.heads.filter((x) => x.startsWith(w)).length, inText = s.words.filter((x) => x.startsWith(w)).length;
      if (!inTitle && !inText) { all = false; break; }
      score += 10 * inTitle + (s.heads.includes(w) ? 20 : 0) + Math.min(inText, 5);
    }
    if (all) found.push([score, s]);
  }
  return found.sort((a, b) => b[0] - a[0]).slice(0, 12).map((f) => f[1]);
}

function around(text, word) {
  const at = Math.max(0, text.toLowerCase().indexOf(word)), from = Math.max(0, at - 60), to = at + 100;
  let before = text.slice(from, at), after = text.slice(at + word.length, to);
  if (from) before = "\u2026" + before.slice(before.indexOf(" "));
  if (to < text.length) after = after.slice(0, Math.max(0, after.lastIndexOf(" "))) + " \u2026";
  return [before, text.slice(at, at + word.length), after];
}

function show() {
  list.replaceChildren();
  const query = box.value, first = words(query)[0];
  for (const s of search(query)) {
    const a = document.createElement("a"), small = document.createElement("small"), mark = document.createElement("mark");
    a.href = root + s.url;
    a.textContent = s.title === s.page ? s.page : s.page + ": " + s.title;
    const [before, hit, after] = around(s.text, first);
    mark.textContent = hit;
    small.append(before, mark, after);
    a.append(small);
    const li = document.createElement("li");
    li.append(a);
    list.append(li);
  }
  if (first && !list.children.length) {
    const li = document.createElement("li");
    li.textContent = "Nothing has all of these words.";
    list.append(li);
  }
  list.hidden = !first;
}

function move(by) {
  const all = [...list.querySelectorAll("a")];
  const at = all.findIndex((a) => a.classList.contains("on"));
  if (at >= 0) all[at].classList.remove("on");
  const next = all[(at + by + all.length) % all.length];
  if (next) { next.classList.add("on"); next.scrollIntoView({ block: "nearest" }); }
}

box.addEventListener("input", show);
box.addEventListener("keydown", (e) => {
  if (e.key === "ArrowDown") { move(1); e.preventDefault(); }
  if (e.key === "ArrowUp") { move(-1); e.preventDefault(); }
  if (e.key === "Escape") { box.value = ""; show(); }
});
box.form.addEventListener("submit", (e) => {
  e.preventDefault();
  const a = list.querySelector("a.on") || list.querySelector("a");
  if (a) { list.hidden = true; location.href = a.href; }
});
// Answers are put away when one is chosen, which may be on this very page, and when
// something else is touched.
list.addEventListener("click", (e) => { if (e.target.closest("a")) list.hidden = true; });
document.addEventListener("pointerdown", (e) => { if (!list.contains(e.target) && e.target !== box) list.hidden = true; });
addEventListener("blur", () => { if (document.activeElement.tagName === "IFRAME") list.hidden = true; }); // the grid was
box.addEventListener("focus", () => { list.hidden = !words(box.value).length; });
if (matchMedia("(hover: hover)").matches) box.placeholder = "Search (press /)"; // where there is a keyboard
// A link with ?q=words searches at once.
const asked = new URLSearchParams(location.search).get("q");
if (asked) { box.value = asked; show(); }
document.addEventListener("keydown", (e) => {
  if (e.key === "/" && document.activeElement !== box) { box.focus(); e.preventDefault(); }
});
