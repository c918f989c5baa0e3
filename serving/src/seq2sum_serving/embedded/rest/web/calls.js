// One call: its request, its reply, and the same call as a command.

export async function call(path, action, body, signal) {
  const start = performance.now();
  const took = () => performance.now() - start;
  try {
    const reply = await fetch(`${path}:${action}`, { method: "POST", body, signal });
    const text = await reply.text();
    const error = reply.ok ? "" : errorOf(text);
    return { status: String(reply.status), phrase: reply.statusText, isGood: reply.ok, text, error, took: took() };
  } catch (error) {
    const isStopped = error.name === "AbortError";
    const message = isStopped ? "Stopped waiting for the answer." : `No answer from the server: ${error.message}`;
    return { status: isStopped ? "stopped" : "no answer", phrase: "", isGood: false, text: "", error: message, took: took() };
  }
}

function errorOf(text) {
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text;
  }
}

export const curl = (path, action, body) => `curl -d ${shell(body)} ${shell(`${new URL(path, document.baseURI)}:${action}`)}`;

const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function duration(milliseconds) {
  if (milliseconds >= 10000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds.toFixed(milliseconds >= 100 ? 0 : milliseconds >= 10 ? 1 : 2)} ms`;
}
