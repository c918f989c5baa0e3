// The fragment of the address: a model, and perhaps a call to fill in. Servers never see it.
//
//   #/seq2sum?to=label%20stable&body={"inputs": {"questions": ["53%2B42"]}}

export function linkTo(model, call) {
  const address = `#/${encodeURIComponent(model)}`;
  if (!call) return address;
  const to = call.to ? `to=${encodeURIComponent(call.to)}&` : "";
  return `${address}?${to}body=${encodeURIComponent(call.body)}`;
}

// Returns `{model, call}`; `call` is null without a body.
export function readLink(fragment) {
  const [, name, query = ""] = /^#\/?([^?]*)\??(.*)$/s.exec(fragment) ?? ["", "", ""];
  const values = Object.fromEntries(query.split("&").map((part) => {
    const at = part.indexOf("=");
    return [part.slice(0, at), decoded(part.slice(at + 1))];
  }));
  return { model: decoded(name), call: values.body ? { target: values.to ?? "", body: values.body } : null };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch { // a % that encodes nothing
    return text;
  }
}
