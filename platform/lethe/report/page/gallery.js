"use strict";
// The forget samples: pictures are put in when they come near the screen, and one opens at a time, turned by arrow keys.
const furnishGalleries = () => {
  const source = document.getElementById("pictures");
  const viewer = document.getElementById("viewer");
  if (!source) return () => {};
  const pictures = JSON.parse(source.textContent);
  const show = (image) => {
    image.src = pictures[image.dataset.picture];
  };
  const images = [...document.querySelectorAll("img[data-picture]")];
  const near = new IntersectionObserver(
    (entries) => {
      for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
        near.unobserve(target);
        show(target);
      }
    },
    { rootMargin: "400px" },
  );
  images.forEach((image) => near.observe(image));

  let opened = null;
  const turnTo = (sample) => {
    if (!sample) return;
    opened = sample;
    const [image, enlarged] = [sample.querySelector("img"), viewer.querySelector("img")];
    enlarged.dataset.picture = image.dataset.picture;
    enlarged.alt = image.alt;
    show(enlarged);
    const samples = [...sample.parentElement.children];
    viewer.querySelector(".of").textContent = `${samples.indexOf(sample) + 1} of ${samples.length}`;
    viewer.querySelector("dl").replaceChildren(...[...sample.querySelector("dl").children].map((one) => one.cloneNode(true)));
  };
  const turnBy = (by) => turnTo(by < 0 ? opened.previousElementSibling : opened.nextElementSibling);
  for (const image of images) {
    const sample = image.closest(".sample");
    image.parentElement.addEventListener("click", () => {
      turnTo(sample);
      viewer.showModal();
    });
  }
  viewer.querySelectorAll("[data-by]").forEach((button) => button.addEventListener("click", () => turnBy(Number(button.dataset.by))));
  viewer.querySelector(".close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) turnBy(by);
  });
  viewer.addEventListener("close", () => opened.querySelector("button").focus());
  return () => images.forEach(show);
};
