"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const canvas = element("planes"), slider = element("threshold"), where = element("where");
  const rows = [...document.querySelectorAll("tbody tr")];
  const OPACITY = 0.65; // so that the scan shows through
  let viewer = null, current = -1, hidden = false, mirrored = false;

  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  async function unpack(text) {
    const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function colours(threshold) { // of the overlay's 256 values: one colour a decade, nothing below the threshold
    const map = { R: [], G: [], B: [], A: [], I: [] };
    for (let value = 0; value < 256; value += 1) {
      const decades = value / data.scale;
      const band = data.bands.findLast(([start]) => decades >= start - 0.01) || data.bands[0];
      let [red, green, blue] = band.slice(1), opacity = decades >= threshold - 0.01 ? 255 : 0;
      if (value >= data.place) [[red, green, blue], opacity] = [data.outlines[value >= data.label ? 1 : 0], 255];
      map.R.push(red); map.G.push(green); map.B.push(blue); map.A.push(opacity); map.I.push(value);
    }
    return map;
  }

  async function volume(name, options) {
    return niivue.NVImage.loadFromBase64({ base64: data.volumes[name], name: `${name}.nii.gz`, ...options });
  }

  async function start() {
    if (!document.createElement("canvas").getContext("webgl2") || typeof DecompressionStream === "undefined") {
      where.textContent = "This browser has no 3-D graphics (WebGL 2): the picture above shows the slices through the largest places.";
      return;
    }
    const script = document.createElement("script");
    script.textContent = await unpack(element("niivue").textContent);
    document.head.append(script);
    element("mosaic").hidden = true;
    element("stage").hidden = false;
    viewer = new niivue.Niivue({
      backColor: [0, 0, 0, 1], crosshairColor: [0.45, 0.75, 1, 0.8], crosshairWidth: 0.9, crosshairWidthUnit: "mm", crosshairGap: 8, fontColor: [1, 1, 1, 1], loadingText: "",
      logLevel: "silent", dragAndDropEnabled: false, show3Dcrosshair: false, multiplanarShowRender: 0, isCornerOrientationText: false,
    });
    await viewer.attachToCanvas(canvas);
    data.steps.forEach((decades, i) => viewer.addColormap(`rarity${i}`, colours(decades)));
    viewer.addVolume(await volume("scan", { colormap: "gray", cal_min: 0, cal_max: 127 }));
    viewer.addVolume(await volume("overlay", { colormap: `rarity${slider.value}`, cal_min: 0, cal_max: 255, opacity: OPACITY }));
    viewer.setSliceType(viewer.sliceTypeMultiplanar);
    viewer.onLocationChange = tell;
    layout();
    addEventListener("resize", layout);
    element("controls").hidden = false;
    threshold();
    if (data.points.length) go(0); else moveTo(data.rarest);
    document.documentElement.dataset.ready = "yes";
  }

  function layout() { // in a row where there is room
    viewer.opts.multiplanarLayout = canvas.clientWidth > 620 ? 3 : 2;
    viewer.drawScene();
  }

  function threshold() {
    const step = Number(slider.value), decades = data.steps[step];
    const count = data.counts[step];
    const words = `${data.labels[step]}; ${count} ${count === 1 ? "place" : "places"} here`;
    element("threshold-words").textContent = words;
    slider.setAttribute("aria-valuetext", words);
    rows.forEach((row, i) => row.classList.toggle("below", data.peaks[i] < decades));
  }

  function paint() {
    const overlay = viewer.volumes[1];
    overlay.colormap = `rarity${slider.value}`;
    overlay.opacity = hidden ? 0 : OPACITY;
    viewer.refreshLayers(overlay, 1);
    viewer.drawScene();
  }

  function tell(location) {
    const [x, y, z] = location.mm;
    const value = location.values.find((each) => each.name.startsWith("overlay"))?.value || 0;
    const decades = value % data.place / data.scale;
    const rare = decades < 1.5 ? "nothing unusual" : decades >= data.top - 0.03 ? "rarer than 1 in 100,000"
      : `1 in ${Number((10 ** decades).toPrecision(1)).toLocaleString("en")}`;
    const place = current >= 0 ? `Place ${current + 1} of ${data.points.length} · ` : "";
    where.textContent = `${place}${x.toFixed(0)}, ${y.toFixed(0)}, ${z.toFixed(0)} mm · ${rare}`;
    const mark = element("profile-mark");
    if (!mark) return;
    const width = element("profile").viewBox.baseVal.width;
    const [low, high] = data.slices, at = width * ((z - low) / (high - low || 1) * (data.profile - 1) + 0.5) / data.profile;
    mark.setAttribute("x1", at); mark.setAttribute("x2", at);
  }

  function moveTo(mm) {
    if (!viewer) return;
    viewer.scene.crosshairPos = viewer.mm2frac(mm);
    viewer.createOnLocationChange();
    viewer.drawScene();
  }

  function go(place) {
    if (!data.points.length) return;
    current = (place + data.points.length) % data.points.length;
    rows.forEach((row, i) => { row.classList.toggle("here", i === current); row.toggleAttribute("aria-current", i === current); });
    moveTo(data.points[current]);
  }

  function toggleMap() { hidden = !hidden; element("hide").setAttribute("aria-pressed", hidden); paint(); }

  function toggleMirror() {
    mirrored = !mirrored;
    element("mirror").setAttribute("aria-pressed", mirrored);
    viewer.opts.isRadiologicalConvention = mirrored;
    viewer.drawScene();
  }

  const keys = { j: () => go(current + 1), k: () => go(current - 1), " ": toggleMap, r: toggleMirror };
  document.addEventListener("keydown", (event) => {
    const control = event.target.closest("button, summary, a, input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key] || !viewer) return;
    if (control && event.key === " ") return; // space presses what has the focus
    event.preventDefault();
    event.stopImmediatePropagation(); // the viewer has meanings of its own for some of them
    keys[event.key]();
  }, true);
  slider.addEventListener("input", () => { threshold(); if (viewer) paint(); });
  element("next").addEventListener("click", keys.j);
  element("previous").addEventListener("click", keys.k);
  element("hide").addEventListener("click", toggleMap);
  element("mirror").addEventListener("click", toggleMirror);
  rows.forEach((row, i) => row.addEventListener("click", (event) => {
    const copy = event.target.closest(".copy");
    if (copy) copyText(copy.dataset.words, copy); else go(i);
  }));
  element("profile")?.addEventListener("click", (event) => {
    if (!viewer) return;
    const box = event.currentTarget.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
    const [x, y] = viewer.frac2mm(viewer.scene.crosshairPos), [low, high] = data.slices;
    current = -1;
    moveTo([x, y, low + share * (high - low)]);
  });
  start().catch((error) => {
    element("stage").hidden = true;
    element("mosaic").hidden = false;
    where.textContent = `The viewer could not start (${error.message}); the picture above shows the slices through the largest places.`;
  });
})();
