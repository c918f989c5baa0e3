"""Texts of model config files."""

from __future__ import annotations

PLAIN = """\
# models of the replicas
model_config_list {
  config {
    name: "other"  # theirs
    base_path: "/models/other"
    model_platform: "tensorflow"
    version_labels { key: "stable" value: 7 }
  }
  config {
    name: "seq2sum"
    base_path: "/models/seq2sum"  # on every replica
    model_platform: "tensorflow"
  }
}
"""
ADOPTED = PLAIN.replace(
    '"/models/seq2sum"  # on every replica\n    model_platform: "tensorflow"\n',
    '"/models/seq2sum"  # on every replica\n    model_platform: "tensorflow"\n'
    "    model_version_policy { specific { versions: 1 } }\n"
    '    version_labels { key: "stable" value: 1 }\n'
    '    version_labels { key: "canary" value: 1 }\n',
)
BY_HAND = """model_config_list { config { name: "seq2sum" base_path: "/m"
  model_platform: "tensorflow"
  model_version_policy {
    specific {
      # why these
      versions: 1  # the good one
      versions: 2  # the new one
    }
  }
  version_labels {
    key: 'stable'
    # moved on Monday
    value: 1
  }
  version_labels { key: "canary", value: 2 };
} }"""
IN_ONE_LINE = (
    'model_config_list{config{name:"seq2sum",base_path:"/m",model_platform:"tensorflow",'
    'model_version_policy:{specific:{versions:[1,2]}},version_labels{key:"stable",value:1}}}'
)
