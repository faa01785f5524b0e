// The room Try: how far an upload is, why it was refused, and the frames of the webcam.
"use strict";

const upload = document.getElementById("upload");
const refusal = document.getElementById("upload-error");
const bar = upload.querySelector("progress");

upload.addEventListener("htmx:beforeRequest", () => {
  refusal.textContent = "";
  bar.hidden = false;
});
upload.addEventListener("htmx:xhr:progress", (event) => {
  if (event.detail.total) bar.value = event.detail.loaded / event.detail.total;
});
upload.addEventListener("htmx:responseError", (event) => {
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  refusal.textContent = (page.querySelector("main p") || page.body).textContent;
  bar.hidden = true;
});
upload.addEventListener("htmx:sendError", () => {
  refusal.textContent = "The file did not arrive: it may be too large, or the studio has ended.";
  bar.hidden = true;
});

const WIDTH = 640; // px, of what is sent
const camera = document.getElementById("camera");
const [button, picture] = [camera.querySelector("button"), camera.querySelector("img")];
const [failure, status] = [camera.querySelector("[role=alert]"), camera.querySelector("[role=status]")];
const token = JSON.parse(document.body.getAttribute("hx-headers"));
const stream = String(Math.random()).slice(2);
const video = document.createElement("video");
const canvas = document.createElement("canvas");

camera.hidden = false;
button.addEventListener("click", () => (video.srcObject ? stop() : start()));

async function start() {
  failure.textContent = "";
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: WIDTH } });
    await video.play();
  } catch (error) {
    stop(`The browser gives no camera: ${error.message}`);
    return;
  }
  button.textContent = "Stop";
  while (video.srcObject) await show();
}

function stop(reason = "") {
  if (video.srcObject) video.srcObject.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  button.textContent = "Start";
  failure.textContent = reason;
}

// One frame at a time: the next one is taken when the answer is there.
async function show() {
  canvas.width = WIDTH;
  canvas.height = Math.round((WIDTH * video.videoHeight) / video.videoWidth);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const frame = await new Promise((take) => canvas.toBlob(take, "image/jpeg", 0.9));
  const began = performance.now();
  let answer;
  try {
    const chosen = new URLSearchParams([["stream", stream], ...new FormData(camera)]);
    const response = await fetch(`/try/camera?${chosen}`, { method: "POST", headers: token, body: frame });
    const isJson = response.headers.get("content-type") === "application/json";
    answer = isJson ? await response.json() : { error: await response.text() };
  } catch (error) {
    answer = { error: `The studio did not answer: ${error.message}` };
  }
  if (answer.error) {
    stop(answer.error);
    return;
  }
  picture.src = answer.picture;
  picture.hidden = false;
  const ms = Math.round(performance.now() - began);
  const stages = Object.entries(answer.ms).map(([stage, time]) => `${stage} ${time}`);
  status.textContent = `${answer.signs.join(", ") || "no sign"} · ${ms} ms in all (${stages.join(", ")})`;
}
