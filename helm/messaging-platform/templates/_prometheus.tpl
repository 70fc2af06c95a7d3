{{/* prometheus.yml: the jobs of the lab's own configuration, and where each finds its targets. A name
     with several addresses is asked of the DNS, so Prometheus needs no rights in the cluster. */}}
{{- define "mp.prometheus" -}}
{{- $v := .Values -}}
{{- $on := include "mp.parts" . | fromJson -}}
{{- $dns := dict -}}
{{- $static := dict "prometheus" (list "localhost:9090") -}}
{{- if $on.rabbitmq }}{{ $_ := set $dns "rabbitmq" (list "rabbitmq-nodes" 15692) }}{{ $_ := set $dns "rabbitmq-detailed" (list "rabbitmq-nodes" 15692) }}{{ end -}}
{{- if index $on "celery-worker" }}{{ $_ := set $dns "worker" (list "celery-worker-metrics" 9000) }}{{ end -}}
{{- if $on.backend }}{{ $_ := set $dns "backend" (list "backend-pods" 8000) }}{{ end -}}
{{- if $on.scraper }}{{ $_ := set $static "scraper" (list "scraper-exporter:9000") }}{{ end -}}
{{- if index $on "redis-exporter" }}{{ $_ := set $static "redis" (list "redis-exporter:9121") }}{{ end -}}
{{- if index $on "postgres-exporter" }}{{ $_ := set $static "postgresql" (list "postgres-exporter:9187") }}{{ end -}}
{{- if $on.flower }}{{ $_ := set $static "flower" (list "flower:5555") }}{{ end -}}
{{- if $on.alertmanager }}{{ $_ := set $static "alertmanager" (list "alertmanager:9093") }}{{ end -}}
{{- $jobs := list -}}
{{- range .Files.Get "files/prometheus.json" | fromJson | dig "scrape_configs" (list) -}}
{{- $job := . -}}
{{- if hasKey $dns .job_name -}}
{{- $target := index $dns .job_name -}}
{{- $name := printf "%s.%s.svc.%s" (first $target) $.Release.Namespace $v.clusterDomain -}}
{{- $jobs = append $jobs (merge (dict "dns_sd_configs" (list (dict "names" (list $name) "type" "A" "port" (last $target) "refresh_interval" "15s"))) $job) -}}
{{- else if hasKey $static .job_name -}}
{{- $jobs = append $jobs (merge (dict "static_configs" (list (dict "targets" (index $static .job_name)))) $job) -}}
{{- else if and (eq .job_name "backend") $v.api.url $v.api.scrape -}}
{{- $url := urlParse $v.api.url -}}
{{- $jobs = append $jobs (merge (dict "scheme" $url.scheme "metrics_path" (printf "%s/metrics" (trimSuffix "/" $url.path)) "static_configs" (list (dict "targets" (list $url.host)))) $job) -}}
{{- end -}}
{{- end -}}
{{- $result := dict
  "global" (dict "scrape_interval" $v.prometheus.scrapeInterval "evaluation_interval" $v.prometheus.scrapeInterval)
  "rule_files" (list "/etc/prometheus/rules/*.yaml")
  "scrape_configs" $jobs -}}
{{- if $on.alertmanager }}{{ $_ := set $result "alerting" (dict "alertmanagers" (list (dict "timeout" "5s" "static_configs" (list (dict "targets" (list "alertmanager:9093")))))) }}{{ end -}}
{{- toYaml $result -}}
{{- end }}

{{/* alertmanager.yml: what alert explains which other one is the lab's own; when to send is not. */}}
{{- define "mp.alertmanager" -}}
{{- $file := .Files.Get "files/alertmanager.json" | fromJson -}}
{{- $receiver := dict "name" "default" -}}
{{- with .Values.alertmanager.webhookUrl }}{{ $_ := set $receiver "webhook_configs" (list (dict "url" . "send_resolved" true "max_alerts" 100)) }}{{ end -}}
{{- dict
  "route" (dict "receiver" "default" "group_by" $file.group_by "group_wait" "30s" "group_interval" "5m" "repeat_interval" "4h")
  "receivers" (list $receiver)
  "inhibit_rules" $file.inhibit_rules
  | toYaml -}}
{{- end }}
