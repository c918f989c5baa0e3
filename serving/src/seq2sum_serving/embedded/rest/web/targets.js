// Where calls can go, and what answers those that name no version.

export const available = (model) => model.versions.filter((entry) => entry.state === "AVAILABLE");
export const labelsOf = (model, version) =>
  Object.keys(model.labels).filter((label) => model.labels[label] === version).sort();

const modelPath = (model, ...parts) => ["v1", "models", model.name, ...parts].map(encodeURIComponent).join("/");

export const metadataPath = (model, version) => modelPath(model, "versions", version, "metadata");

// Returns the choices of a caller, each with the calls that it makes. `version` has the signatures.
export function targetsOf(model) {
  const versions = available(model).map((entry) => entry.version);
  if (versions.length === 0) return [];
  const unlabelled = { id: "", path: modelPath(model), name: `no label, version ${versions[0]}` };
  const targets = [{ id: "", text: `no version or label (version ${versions[0]})`, version: versions[0], calls: [unlabelled] }];
  for (const label of Object.keys(model.labels).sort()) {
    const version = model.labels[label], isAvailable = versions.includes(version);
    const name = `label ${label}, version ${version}`;
    targets.push({
      id: "label " + label,
      text: `label ${label} (version ${version}${isAvailable ? "" : ", not available"})`,
      version: isAvailable ? version : versions[0],
      calls: [{ id: "label " + label, path: modelPath(model, "labels", label), name }],
    });
  }
  const numbered = versions.map((version) => ({
    id: "version " + version, text: `version ${version}`, version,
    calls: [{ id: "version " + version, path: modelPath(model, "versions", version), name: `version ${version}` }],
  }));
  targets.push(...numbered);
  if (versions.length > 1) {
    targets.push({ id: "every", text: "every available version", version: versions[0], calls: numbered.flatMap((each) => each.calls) });
  }
  return targets;
}

// Returns the version that answers unlabelled calls, or null, and the reason in one line.
export function unlabelled(model) {
  const [first] = available(model);
  const higher = model.versions.slice(0, first ? model.versions.indexOf(first) : undefined);
  const notes = higher.map(note).filter(Boolean).join("; ");
  if (!first) return { version: null, reason: `No version is AVAILABLE${notes ? ": " + notes : ""}.` };
  return { version: first.version, reason: `The highest AVAILABLE version answers them${notes ? "; " + notes : ""}.` };
}

function note({ version, state, error }) {
  if (error) return `version ${version} failed to load`;
  return state === "END" ? "" : `version ${version} is ${state}`;
}

// Returns the labels whose calls fail.
export function brokenLabels(model) {
  const versions = new Set(available(model).map((entry) => entry.version));
  return Object.keys(model.labels).filter((label) => !versions.has(model.labels[label])).sort();
}
