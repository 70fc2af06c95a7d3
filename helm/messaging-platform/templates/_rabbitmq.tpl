{{/* The domain of the single nodes' names. */}}
{{- define "mp.rabbitmqHost" -}}
rabbitmq-nodes.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{/* The broker's configuration, its definitions, and what puts the passwords into these. */}}
{{- define "mp.rabbitmqFiles" -}}
{{- $r := .Values.rabbitmq -}}
{{- $host := include "mp.rabbitmqHost" . -}}
rabbitmq.conf: |
  definitions.import_backend = local_filesystem
  definitions.local.path = /definitions/definitions.json
  auth_mechanisms.1 = PLAIN
  auth_mechanisms.2 = AMQPLAIN
  # It cannot see the container's limit by itself.
  total_memory_available_override_value = {{ $r.memory }}B
  disk_free_limit.absolute = {{ $r.diskFreeLimit }}
  log.console.level = info
  {{- if gt (int $r.replicas) 1 }}
  cluster_formation.peer_discovery_backend = classic_config
  cluster_formation.target_cluster_size_hint = {{ $r.replicas }}
  {{- range $i := until (int $r.replicas) }}
  cluster_formation.classic_config.nodes.{{ add1 $i }} = rabbit@rabbitmq-{{ $i }}.{{ $host }}
  {{- end }}
  cluster_partition_handling = pause_minority
  {{- end }}
enabled_plugins: |
  [rabbitmq_management,rabbitmq_prometheus].
definitions.json: |
  {{- include "mp.definitions" . | nindent 2 }}
prepare.sh: |
  # Puts the passwords into the definitions, and the cookie where only this user can read it.
  set -eu
  umask 077
  for key in {{ include "mp.brokerUsers" . | fromJsonArray | join " " }}; do
      password=$(cat "/run/secrets/platform/$key")
      case $password in
      '' | *[!A-Za-z0-9._~-]*)
          echo "$key in the Secret {{ include "mp.secretName" . }} is empty, or has other signs than letters, digits and . _ ~ -" >&2
          exit 1
          ;;
      esac
      printf 's|@%s@|%s|\n' "$key" "$password"
  done >/definitions/passwords
  sed -f /definitions/passwords /config/definitions.json >/definitions/definitions.json
  rm /definitions/passwords
  cat /run/secrets/platform/erlang-cookie >/var/lib/rabbitmq/.erlang.cookie
  chmod 400 /var/lib/rabbitmq/.erlang.cookie
{{- end }}
