{{/* Which parts the release has, by the names of their objects, as JSON. */}}
{{- define "mp.parts" -}}
{{- $v := .Values -}}
{{- dict
  "rabbitmq" $v.rabbitmq.enabled
  "redis" $v.redis.enabled
  "database" (and $v.backend.enabled $v.database.enabled)
  "backend" $v.backend.enabled
  "backend-migrate" $v.backend.enabled
  "celery-worker" $v.worker.enabled
  "scraper" $v.scraper.enabled
  "scraper-exporter" $v.scraper.enabled
  "prometheus" $v.prometheus.enabled
  "alertmanager" $v.alertmanager.enabled
  "redis-exporter" (and $v.redis.enabled $v.exporters.redis.enabled)
  "postgres-exporter" (and $v.backend.enabled $v.database.enabled $v.exporters.postgresql.enabled)
  "flower" $v.flower.enabled
  "grafana" $v.grafana.enabled
  "test" true
  | toJson -}}
{{- end }}

{{/* What no schema can say; fails with words. */}}
{{- define "mp.validate" -}}
{{- $v := .Values -}}
{{- if and $v.worker.enabled (not $v.rabbitmq.enabled) }}{{ fail "worker.enabled needs rabbitmq.enabled: workers and broker are one half of the platform" }}{{ end -}}
{{- if and $v.scraper.enabled (not $v.rabbitmq.enabled) }}{{ fail "scraper.enabled needs rabbitmq.enabled: the scraper belongs to the messaging half" }}{{ end -}}
{{- if and $v.flower.enabled (not $v.rabbitmq.enabled) }}{{ fail "flower.enabled needs rabbitmq.enabled" }}{{ end -}}
{{- if and (or $v.worker.enabled $v.scraper.enabled) (not $v.backend.enabled) (not $v.api.url) }}{{ fail "api.url is empty and backend.enabled is false: say where the backend is" }}{{ end -}}
{{- if and $v.backend.enabled $v.api.url }}{{ fail "api.url names a backend elsewhere and backend.enabled is true: choose one" }}{{ end -}}
{{- if le (int $v.worker.hardTimeLimitSeconds) (int $v.worker.softTimeLimitSeconds) }}{{ fail "worker.hardTimeLimitSeconds must be more than worker.softTimeLimitSeconds" }}{{ end -}}
{{- if and $v.worker.autoscaling.enabled $v.worker.keda.enabled }}{{ fail "worker.autoscaling.enabled and worker.keda.enabled exclude each other: two controllers would set the same number" }}{{ end -}}
{{- range list "autoscaling" "keda" }}
{{- $scaling := index $v.worker . }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}{{ fail (printf "worker.%s.minReplicas is more than its maxReplicas" .) }}{{ end -}}
{{- end }}
{{- if and $v.backend.enabled (not $v.database.enabled) (not $v.secrets.existingSecret) (not (index $v.secrets.given "database-url")) }}{{ fail "database.enabled is false: name the database elsewhere by database-url, in secrets.existingSecret or secrets.given" }}{{ end -}}
{{- if and $v.grafana.enabled (not $v.prometheus.enabled) }}{{ fail "grafana.enabled needs prometheus.enabled: its data source" }}{{ end -}}
{{- end }}

{{/* Labels of an object. Arguments: root, name. */}}
{{- define "mp.labels" -}}
{{ include "mp.selector" . }}
app.kubernetes.io/part-of: messaging-platform
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "mp.selector" -}}
app.kubernetes.io/name: messaging-platform
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{/* An image by its digest, else by its tag. Argument: repository, tag, digest. */}}
{{- define "mp.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{- define "mp.platformImage" -}}
{{ include "mp.image" (dict "repository" .Values.image.repository "tag" (.Values.image.tag | default .Chart.AppVersion) "digest" .Values.image.digest) }}
{{- end }}

{{/* What every pod has in common. Arguments: root, name, uid. */}}
{{- define "mp.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .uid }}
  runAsGroup: {{ .uid }}
  fsGroup: {{ .uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end }}

{{/* Spreads the pods of one kind. Arguments: root, name. */}}
{{- define "mp.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.spreadTopologyKey }}
    whenUnsatisfiable: {{ .root.Values.spread }}
    labelSelector:
      matchLabels: {{- include "mp.selector" . | nindent 8 }}
{{- end }}

{{/* What every container has in common. */}}
{{- define "mp.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "mp.secretName" -}}
{{ .Values.secrets.existingSecret | default "messaging-platform-secrets" }}
{{- end }}

{{/* An environment variable from the Secret. Arguments: root, name, key. */}}
{{- define "mp.secretEnv" -}}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ include "mp.secretName" .root }}, key: {{ .key }}}}
{{- end }}

{{/* Changes when somebody changed a password, and so restarts the pods. Generated ones never do. */}}
{{- define "mp.secretsRevision" -}}
{{ dict "existing" .Values.secrets.existingSecret "revision" .Values.secrets.revision "given" .Values.secrets.given | toJson | sha256sum | trunc 16 }}
{{- end }}

{{/* The keys of the Secret that the parts of the release need, as a JSON list. */}}
{{- define "mp.secretKeys" -}}
{{- $v := .Values -}}
{{- $on := include "mp.parts" . | fromJson -}}
{{- $keys := list -}}
{{- if $on.rabbitmq }}{{ $keys = concat $keys (include "mp.brokerUsers" . | fromJsonArray) (list "erlang-cookie") }}{{ end -}}
{{- if $on.redis }}{{ $keys = append $keys "redis" }}{{ end -}}
{{- if $on.database }}{{ $keys = concat $keys (list "database" "database-superuser" "database-monitor") }}{{ end -}}
{{- if and $on.backend (not $on.database) }}{{ $keys = append $keys "database-url" }}{{ end -}}
{{- if or $on.backend (index $on "celery-worker") $on.scraper }}{{ $keys = append $keys "api-token" }}{{ end -}}
{{- if $on.grafana }}{{ $keys = append $keys "grafana-admin" }}{{ end -}}
{{- toJson $keys -}}
{{- end }}

{{/* The Secret's keys of the broker's users, as a JSON list. */}}
{{- define "mp.brokerUsers" -}}
{{- $users := list "broker-scraper" "broker-worker" "broker-operator" "broker-admin" -}}
{{- if .Values.flower.enabled }}{{ $users = append $users "broker-monitor" }}{{ end -}}
{{- if .Values.rabbitmq.earlierSender }}{{ $users = append $users "broker-earlier-sender" }}{{ end -}}
{{- toJson $users -}}
{{- end }}

{{/* What the broker loads before anybody can connect; passwords are put in by its init container. */}}
{{- define "mp.definitions" -}}
{{- $file := ternary "files/definitions-events.json" "files/definitions.json" .Values.flower.enabled -}}
{{- $all := .Files.Get $file | fromJson -}}
{{- if not .Values.rabbitmq.earlierSender -}}
{{- $users := list }}{{ range $all.users }}{{ if ne .name "earlier-sender" }}{{ $users = append $users . }}{{ end }}{{ end -}}
{{- $permissions := list }}{{ range $all.permissions }}{{ if ne .user "earlier-sender" }}{{ $permissions = append $permissions . }}{{ end }}{{ end -}}
{{- $_ := set $all "users" $users }}{{ $_ := set $all "permissions" $permissions -}}
{{- end -}}
{{- toJson $all -}}
{{- end }}

{{/* Where workers and scraper find the backend. */}}
{{- define "mp.apiUrl" -}}
{{ .Values.api.url | default (printf "http://backend:%d" (int .Values.backend.service.port)) }}
{{- end }}

{{/* Environment of the backend and its migration. */}}
{{- define "mp.databaseEnv" -}}
{{- if .Values.database.enabled }}
{{ include "mp.secretEnv" (dict "root" . "name" "DATABASE_PASSWORD" "key" "database") }}
- name: MISSING_TABLE_DATABASE_URL
  value: postgresql://backend:$(DATABASE_PASSWORD)@database:5432/missing_table
{{- else }}
- name: MISSING_TABLE_DATABASE_URL_FILE
  value: /run/secrets/platform/database-url
{{- end }}
- name: MISSING_TABLE_API_TOKEN_FILE
  value: /run/secrets/platform/api-token
- name: MISSING_TABLE_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- end }}

{{/* A volume of single keys of the Secret. Arguments: root, keys. */}}
{{- define "mp.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ include "mp.secretName" .root }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}

{{/* A worker's time to end: whatever it has begun, it may finish. Celery starts the clock of the
     hard limit when the soft limit is reached, so they add up. */}}
{{- define "mp.workerGrace" -}}
{{ add .Values.worker.preStopSeconds .Values.worker.softTimeLimitSeconds .Values.worker.hardTimeLimitSeconds .Values.worker.slackSeconds }}
{{- end }}

{{/* A claim's template. Arguments: root, name, part, persistence. */}}
{{- define "mp.claimTemplate" -}}
- metadata:
    name: {{ .name }}
    labels: {{- include "mp.selector" (dict "root" .root "name" .part) | nindent 6 }}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .persistence.storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .persistence.size }}}}
{{- end }}
