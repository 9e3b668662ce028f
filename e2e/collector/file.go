package main

import (
	"context"
	"errors"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// fileConfig says where traces go.
type fileConfig struct {
	Path string `mapstructure:"path"`
}

func (c *fileConfig) Validate() error {
	if c.Path == "" {
		return errors.New("path must be set")
	}
	return nil
}

// fileWriter appends each batch as one line of OTLP's JSON, and is done when the line is in the file.
type fileWriter struct {
	path      string
	marshaler ptrace.JSONMarshaler
	mu        sync.Mutex
	file      *os.File
}

func (w *fileWriter) start(context.Context, component.Host) (err error) {
	w.file, err = os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return
}

func (w *fileWriter) write(_ context.Context, traces ptrace.Traces) error {
	line, err := w.marshaler.MarshalTraces(traces)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.file.Write(append(line, '\n'))
	return err
}

func (w *fileWriter) stop(context.Context) error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// newFileExporter is the exporter `file`: the contributed one of that name needs modules that are not on the proxy.
func newFileExporter() exporter.Factory {
	create := func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
		w := &fileWriter{path: cfg.(*fileConfig).Path}
		return exporterhelper.NewTraces(ctx, set, cfg, w.write,
			exporterhelper.WithStart(w.start), exporterhelper.WithShutdown(w.stop))
	}
	return exporter.NewFactory(component.MustNewType("file"),
		func() component.Config { return &fileConfig{} },
		exporter.WithTraces(create, component.StabilityLevelDevelopment))
}
