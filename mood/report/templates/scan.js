"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const canvas = element("planes"), slider = element("threshold"), where = element("where");
  const rows = [...document.querySelectorAll("tbody tr")];
  const OPACITY = 150; // of 255
  let viewer = null, current = -1, hidden = false, mirrored = false;

  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  async function unpack(text) {
    const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function rarityColours(threshold) { // one colour a decade of rarity, whatever the threshold; nothing below it
    const map = { R: [], G: [], B: [], A: [], I: [] };
    const add = (decades, [red, green, blue], alpha) => {
      map.R.push(red); map.G.push(green); map.B.push(blue); map.A.push(alpha);
      map.I.push(Math.max(0, Math.min(255, Math.round(255 * decades / data.top))));
    };
    const bands = data.bands.filter(([start], i) => (data.bands[i + 1] ?? [Infinity])[0] > threshold);
    const first = bands[0].slice(1);
    add(0, first, 0);
    add(Math.min(threshold, data.top) - 0.04, first, 0);
    bands.forEach(([start, ...colour], i) => {
      const from = Math.min(Math.max(start, threshold), data.top - 0.02);
      add(from, colour, OPACITY);
      add(Math.min((bands[i + 1] ?? [data.top])[0] - 0.02, data.top), colour, OPACITY);
    });
    map.I[map.I.length - 1] = 255;
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
      backColor: [0, 0, 0, 1], crosshairColor: [0.45, 0.75, 1, 0.8], crosshairWidth: 1, crosshairGap: 8, fontColor: [1, 1, 1, 1], loadingText: "",
      logLevel: "silent", dragAndDropEnabled: false, show3Dcrosshair: false, multiplanarShowRender: 0, isCornerOrientationText: false,
    });
    await viewer.attachToCanvas(canvas);
    data.steps.forEach((decades, i) => viewer.addColormap(`rarity${i}`, rarityColours(decades)));
    const flat = (red, green, blue) => ({ R: [red, red], G: [green, green], B: [blue, blue], A: [0, 255], I: [0, 255] });
    viewer.addColormap("place", flat(255, 255, 255));
    viewer.addColormap("label", flat(64, 224, 255));
    viewer.addVolume(await volume("scan", { colormap: "gray", cal_min: 0, cal_max: 127 }));
    viewer.addVolume(await volume("map", { colormap: `rarity${slider.value}`, cal_min: 0, cal_max: data.top * data.scale }));
    viewer.addVolume(await volume("outline", { colormap: "place", cal_min: 0.4, cal_max: 1 }));
    if (data.volumes.truth) viewer.addVolume(await volume("truth", { colormap: "label", cal_min: 0.4, cal_max: 1 }));
    viewer.setSliceType(viewer.sliceTypeMultiplanar);
    viewer.onLocationChange = tell;
    layout();
    addEventListener("resize", layout);
    element("controls").hidden = false;
    threshold();
    if (data.points.length) go(0); else viewer.drawScene();
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
    if (!viewer) return;
    viewer.volumes[1].colormap = `rarity${step}`;
    viewer.volumes.slice(1).forEach((each) => { each.opacity = hidden ? 0 : 1; });
    viewer.updateGLVolume();
  }

  function tell(location) {
    const [x, y, z] = location.mm;
    const value = location.values.find((each) => each.name.startsWith("map"))?.value || 0;
    const decades = value / data.scale;
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

  function toggleMap() { hidden = !hidden; element("hide").setAttribute("aria-pressed", hidden); threshold(); }

  function toggleMirror() {
    mirrored = !mirrored;
    element("mirror").setAttribute("aria-pressed", mirrored);
    viewer.setRadiologicalConvention(mirrored);
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
  slider.addEventListener("input", threshold);
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
