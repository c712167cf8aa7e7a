// One picture, large, over the page.

const viewer = document.getElementById("viewer");

export function listenToViewer() {
  viewer.addEventListener("click", ({ target }) => target === viewer && viewer.close());
}

/** Show the picture at `url`; `label` is what it is called in its thread. */
export function openViewer(url, name, label) {
  const image = viewer.querySelector("img");
  image.src = url;
  image.alt = label;
  viewer.querySelector("p").textContent = label === name ? name : `${label} · ${name}`;
  viewer.showModal();
}
